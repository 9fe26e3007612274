using System.ComponentModel.DataAnnotations;
using Microsoft.Extensions.Options;

namespace Cube.Proxy.Attestation;

/// <summary>The setting of the section <c>Attestation</c> for the verifier.</summary>
internal sealed class AttestationOptions : IValidatableObject
{
    public const string Section = "Attestation";

    /// <summary>Path of the root certificate of Google's launch endorsements (DER). There is no default.</summary>
    public string? GoogleRoot { get; set; }

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
