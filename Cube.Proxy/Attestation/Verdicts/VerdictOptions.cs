using System.ComponentModel.DataAnnotations;
using Cube.ServiceDefaults.Hosting;
using Microsoft.Extensions.Options;

namespace Cube.Proxy.Attestation.Verdicts;

/// <summary>Settings of the section <c>Attestation</c> that configure the storage of verdicts.</summary>
internal sealed class VerdictOptions
{
    public const string Section = "Attestation";

    /// <summary>Retention of verdicts and their Evidence in days, 1 to 3650.</summary>
    [SettingRange("Attestation__KeepDays", 1, 3650)]
    public int KeepDays { get; set; } = 180;
}

[OptionsValidator]
internal sealed partial class VerdictOptionsValidator : IValidateOptions<VerdictOptions>;
