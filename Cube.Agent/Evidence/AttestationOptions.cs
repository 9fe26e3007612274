using System.ComponentModel.DataAnnotations;
using Cube.ServiceDefaults.Hosting;
using Microsoft.Extensions.Options;

namespace Cube.Agent.Evidence;

/// <summary>The section <c>Attestation</c>: how the agent generates Evidence.</summary>
internal sealed class AttestationOptions
{
    public const string Section = "Attestation";

    /// <summary>
    /// <c>sev-snp</c>, <c>tdx</c>, <c>azure</c>, <c>auto</c> (the first that is available), or <c>simulated</c> (development only). There is
    /// no default.
    /// </summary>
    [Required(ErrorMessage = "Attestation__Platform must be one of sev-snp, tdx, azure, auto, simulated.")]
    [AllowedValues("sev-snp", "tdx", "azure", "auto", "simulated", ErrorMessage = "Attestation__Platform must be one of sev-snp, tdx, azure, auto, simulated.")]
    public string Platform { get; set; } = "";

    /// <summary>Root of the guest's file system; only tests change it.</summary>
    public string Root { get; set; } = "/";

    /// <summary>A device, or <c>tcp://host:port</c> of a TPM simulator.</summary>
    public string Tpm { get; set; } = "/dev/tpmrm0";

    /// <summary>Azure's instance metadata service (IMDS). It uses http on the host and is not trusted.</summary>
    public Uri Imds { get; set; } = new("http://169.254.169.254");

    /// <summary>A Microsoft Azure Attestation instance. If set, the agent sends its tokens instead of hardware Evidence.</summary>
    public Uri? Maa { get; set; }

    /// <summary>Maximum number of Evidence requests to the device per second, 1 to 1000.</summary>
    [SettingRange("Attestation__PerSecond", 1, 1000)]
    public int PerSecond { get; set; } = 20;

    /// <summary>Maximum number of waiting Evidence requests, 1 to 1024. Further requests are rejected.</summary>
    [SettingRange("Attestation__Waiting", 1, 1024)]
    public int Waiting { get; set; } = 64;

    /// <summary>Lifetime of the key of the agent's certificate, 1 minute to 24 hours.</summary>
    [SettingRange("Attestation__KeyLifetime", "00:01:00", "1.00:00:00")]
    public TimeSpan KeyLifetime { get; set; } = TimeSpan.FromHours(12);
}

[OptionsValidator]
internal sealed partial class AttestationOptionsValidator : IValidateOptions<AttestationOptions>;
