using System.ComponentModel.DataAnnotations;
using Cube.ServiceDefaults.Hosting;
using Microsoft.Extensions.Options;

namespace Cube.Proxy.Attestation.Verdicts;

/// <summary>The setting of the section <c>Attestation</c> for the verdicts in the database.</summary>
internal sealed class VerdictOptions
{
    public const string Section = "Attestation";

    /// <summary>Days that verdicts and their evidence are kept, 1 to 3650.</summary>
    [SettingRange("Attestation__KeepDays", 1, 3650)]
    public int KeepDays { get; set; } = 180;
}

[OptionsValidator]
internal sealed partial class VerdictOptionsValidator : IValidateOptions<VerdictOptions>;
