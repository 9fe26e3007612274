using System.ComponentModel.DataAnnotations;
using Microsoft.Extensions.Options;

namespace Cube.Proxy.Attestation;

/// <summary>The settings of the section <c>Attestation</c> for collateral and verdicts.</summary>
internal sealed class AttestationOptions : IValidatableObject
{
    public const string Section = "Attestation";

    /// <summary>Path of the root certificate of Google's launch endorsements (DER). There is no default.</summary>
    public string? GoogleRoot { get; set; }

    /// <summary>AMD's key distribution service.</summary>
    [Required(ErrorMessage = "Attestation__AmdKds must be a URL.")]
    public Uri AmdKds { get; set; } = new("https://kdsintf.amd.com");

    /// <summary>Intel's provisioning certification service, or a cache of it.</summary>
    [Required(ErrorMessage = "Attestation__IntelPcs must be a URL.")]
    public Uri IntelPcs { get; set; } = new("https://api.trustedservices.intel.com");

    /// <summary>Intel's certificates.</summary>
    [Required(ErrorMessage = "Attestation__IntelCertificates must be a URL.")]
    public Uri IntelCertificates { get; set; } = new("https://certificates.trustedservices.intel.com");

    /// <summary>Days that verdicts and their evidence are kept, 1 to 3650.</summary>
    [Range(1, 3650, ErrorMessage = "Attestation__KeepDays must be between 1 and 3650.")]
    public int KeepDays { get; set; } = 180;

    public IEnumerable<ValidationResult> Validate(ValidationContext validationContext)
    {
        if (GoogleRoot is { Length: > 0 } root && !File.Exists(root))
        {
            yield return new ValidationResult($"Attestation__GoogleRoot is {root}, and there is no such file.");
        }
    }
}

[OptionsValidator]
internal sealed partial class AttestationOptionsValidator : IValidateOptions<AttestationOptions>;
