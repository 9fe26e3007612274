using System.ComponentModel.DataAnnotations;
using Microsoft.Extensions.Options;

namespace Cube.Proxy.Attestation.Verdicts;

/// <summary>The setting of the section <c>Attestation</c> for the verdicts in the database.</summary>
internal sealed class VerdictOptions
{
    public const string Section = "Attestation";

    /// <summary>Days that verdicts and their evidence are kept, 1 to 3650.</summary>
    [Range(1, 3650, ErrorMessage = "Attestation__KeepDays must be between 1 and 3650.")]
    public int KeepDays { get; set; } = 180;
}

[OptionsValidator]
internal sealed partial class VerdictOptionsValidator : IValidateOptions<VerdictOptions>;
