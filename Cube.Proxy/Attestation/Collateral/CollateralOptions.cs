using System.ComponentModel.DataAnnotations;
using Microsoft.Extensions.Options;

namespace Cube.Proxy.Attestation.Collateral;

/// <summary>Settings of the section <c>Attestation</c>: base addresses of the vendors' collateral services.</summary>
internal sealed class CollateralOptions
{
    public const string Section = "Attestation";

    /// <summary>AMD Key Distribution Service (KDS): VCEK certificates and revocation lists.</summary>
    [Required(ErrorMessage = "Attestation__AmdKds must be a URL.")]
    public Uri AmdKds { get; set; } = new("https://kdsintf.amd.com");

    /// <summary>Intel Provisioning Certification Service (PCS), or a caching service (PCCS) with the same API.</summary>
    [Required(ErrorMessage = "Attestation__IntelPcs must be a URL.")]
    public Uri IntelPcs { get; set; } = new("https://api.trustedservices.intel.com");

    /// <summary>Intel's server for its root CA's revocation list.</summary>
    [Required(ErrorMessage = "Attestation__IntelCertificates must be a URL.")]
    public Uri IntelCertificates { get; set; } = new("https://certificates.trustedservices.intel.com");
}

[OptionsValidator]
internal sealed partial class CollateralOptionsValidator : IValidateOptions<CollateralOptions>;
