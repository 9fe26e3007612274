using Microsoft.Extensions.Options;

namespace Cube.Proxy.Attestation;

/// <summary>The section <c>Attestation</c>: whom this proxy believes.</summary>
internal sealed class AttestationOptions
{
    public const string Section = "Attestation";

    /// <summary>Development only: simulated evidence is let through where a policy names it. Refused in Production.</summary>
    public bool Simulated { get; set; }

    /// <summary>The platform's first policy, as JSON or as the path of a file; used while there is none. Without one, all machines are refused.</summary>
    public string? FirstPolicy { get; set; }

    /// <summary>Path of the root of Google's launch endorsements (DER); there is no default.</summary>
    public string? GoogleRoot { get; set; }

    /// <summary>AMD's key distribution service.</summary>
    public Uri AmdKds { get; set; } = new("https://kdsintf.amd.com");

    /// <summary>Intel's provisioning certification service, or a cache of it.</summary>
    public Uri IntelPcs { get; set; } = new("https://api.trustedservices.intel.com");

    /// <summary>Intel's certificates.</summary>
    public Uri IntelCertificates { get; set; } = new("https://certificates.trustedservices.intel.com");

    /// <summary>Days that verdicts and their evidence are kept, 1 to 3650.</summary>
    public int KeepDays { get; set; } = 180;
}

internal sealed class AttestationOptionsValidator : IValidateOptions<AttestationOptions>
{
    public ValidateOptionsResult Validate(string? name, AttestationOptions options)
    {
        var faults = new ValidateOptionsResultBuilder();
        if (options.KeepDays is < 1 or > 3650)
        {
            faults.AddError("Attestation__KeepDays must be between 1 and 3650.");
        }

        if (options.GoogleRoot is { Length: > 0 } root && !File.Exists(root))
        {
            faults.AddError($"Attestation__GoogleRoot names {root}, and there is no such file.");
        }

        return faults.Build();
    }
}
