using System.ComponentModel.DataAnnotations;
using Microsoft.Extensions.Options;

namespace Cube.Proxy.Attestation.Collateral;

/// <summary>The settings of the section <c>Attestation</c> for the services of the vendors.</summary>
internal sealed class CollateralOptions
{
    public const string Section = "Attestation";

    /// <summary>AMD's key distribution service.</summary>
    [Required(ErrorMessage = "Attestation__AmdKds must be a URL.")]
    public Uri AmdKds { get; set; } = new("https://kdsintf.amd.com");

    /// <summary>Intel's provisioning certification service, or a cache of it.</summary>
    [Required(ErrorMessage = "Attestation__IntelPcs must be a URL.")]
    public Uri IntelPcs { get; set; } = new("https://api.trustedservices.intel.com");

    /// <summary>Intel's certificates.</summary>
    [Required(ErrorMessage = "Attestation__IntelCertificates must be a URL.")]
    public Uri IntelCertificates { get; set; } = new("https://certificates.trustedservices.intel.com");
}

[OptionsValidator]
internal sealed partial class CollateralOptionsValidator : IValidateOptions<CollateralOptions>;
