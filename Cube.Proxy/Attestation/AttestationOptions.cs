using System.ComponentModel.DataAnnotations;
using Microsoft.Extensions.Options;

namespace Cube.Proxy.Attestation;

/// <summary>Settings of the section <c>Attestation</c> that configure the Verifier.</summary>
internal sealed class AttestationOptions : IValidatableObject
{
    public const string Section = "Attestation";

    /// <summary>Path of the root certificate of Google's launch endorsements (DER). Null or empty: the Verifier has no Google root.</summary>
    public string? GoogleRoot { get; set; }

    public IEnumerable<ValidationResult> Validate(ValidationContext validationContext)
    {
        if (GoogleRoot is { Length: > 0 } root && !File.Exists(root))
        {
            yield return new ValidationResult($"Attestation__GoogleRoot is {root}, but this file does not exist.");
        }
    }
}

[OptionsValidator]
internal sealed partial class AttestationOptionsValidator : IValidateOptions<AttestationOptions>;
