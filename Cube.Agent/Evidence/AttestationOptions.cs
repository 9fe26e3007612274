using Microsoft.Extensions.Options;

namespace Cube.Agent.Evidence;

/// <summary>The section <c>Attestation</c>: how this machine proves what it is.</summary>
internal sealed class AttestationOptions
{
    public const string Section = "Attestation";

    /// <summary>
    /// <c>sev-snp</c>, <c>tdx</c>, <c>azure</c>, <c>auto</c> (whichever of them is there), or <c>simulated</c> (development only). There is
    /// no default: nothing is guessed about what is promised.
    /// </summary>
    public string Platform { get; set; } = "";

    /// <summary>Where the file system of the guest begins; another one than <c>/</c> only in tests.</summary>
    public string Root { get; set; } = "/";

    /// <summary>A device, or <c>tcp://host:port</c> of a TPM simulator.</summary>
    public string Tpm { get; set; } = "/dev/tpmrm0";

    /// <summary>Azure's instance metadata service: plain http on the host, and so not trusted.</summary>
    public Uri Imds { get; set; } = new("http://169.254.169.254");

    /// <summary>An instance of Microsoft Azure Attestation whose tokens are handed out instead of one's own evidence; none by default.</summary>
    public Uri? Maa { get; set; }

    /// <summary>Pieces of evidence in a second that the device is asked for, 1 to 1000.</summary>
    public int PerSecond { get; set; } = 20;

    /// <summary>Requests for evidence that may wait, 1 to 1024; further ones are refused.</summary>
    public int Waiting { get; set; } = 64;

    /// <summary>How long the key of this agent's certificate lives, 1 minute to 24 hours.</summary>
    public TimeSpan KeyLifetime { get; set; } = TimeSpan.FromHours(12);
}

internal sealed class AttestationOptionsValidator : IValidateOptions<AttestationOptions>
{
    private static readonly string[] _platforms = ["sev-snp", "tdx", "azure", "auto", "simulated"];

    public ValidateOptionsResult Validate(string? name, AttestationOptions options)
    {
        var faults = new ValidateOptionsResultBuilder();
        if (!_platforms.Contains(options.Platform))
        {
            faults.AddError($"Attestation__Platform must be one of {string.Join(", ", _platforms)}.");
        }

        if (options.PerSecond is < 1 or > 1000)
        {
            faults.AddError("Attestation__PerSecond must be between 1 and 1000.");
        }

        if (options.Waiting is < 1 or > 1024)
        {
            faults.AddError("Attestation__Waiting must be between 1 and 1024.");
        }

        if (options.KeyLifetime < TimeSpan.FromMinutes(1) || options.KeyLifetime > TimeSpan.FromHours(24))
        {
            faults.AddError("Attestation__KeyLifetime must be between 00:01:00 and 1.00:00:00.");
        }

        return faults.Build();
    }
}
