using Cube.Attestation.Parsing;

namespace Cube.Attestation.Certificates;

/// <summary>
/// The Trust Anchors: the vendors' root certificates and published intermediates, embedded in this assembly.
/// Only this assembly, its command line, its tests and its benchmarks can replace them.
/// </summary>
internal sealed record TrustAnchors
{
    private static readonly Lazy<TrustAnchors> _vendor = new(static () => new TrustAnchors());

    public static TrustAnchors Vendor => _vendor.Value;

    /// <summary>ARK of Milan, Genoa and Turin.</summary>
    public IReadOnlyList<Certificate> Amd { get; init; } = Roots("amd/ask_ark_milan", "amd/ask_ark_genoa", "amd/ask_ark_turin");

    /// <summary>ASK and ASVK of the same products, for Evidence that contains only the leaf certificate.</summary>
    public IReadOnlyList<Certificate> AmdIntermediates { get; init; } = Intermediates(
        "amd/ask_ark_milan", "amd/ask_ark_genoa", "amd/ask_ark_turin", "amd/asvk_ark_milan", "amd/asvk_ark_genoa", "amd/asvk_ark_turin");

    public IReadOnlyList<Certificate> Intel { get; init; } = Roots("intel/intel_sgx_root_ca");

    public IReadOnlyList<Certificate> AzureTpm { get; init; } = Roots("azure-vtpm/azure-virtual-tpm-root-2023", "azure-vtpm/microsoft-rsa-devices-root-ca-2021");

    public IReadOnlyList<Certificate> GoogleTpm { get; init; } = Roots("gcp-vtpm/tpm_ek_root_1", "gcp-vtpm/gcp_ek_ak_ca_root");

    public IReadOnlyList<Certificate> GoogleTpmIntermediates { get; init; } = Intermediates(
        "gcp-vtpm/tpm_ek_intermediate_2", "gcp-vtpm/tpm_ek_intermediate_3", "gcp-vtpm/gcp_ek_ak_ca_intermediate_v3");

    private static List<Certificate> Roots(params string[] names) => [.. names.SelectMany(Read).Where(static certificate => certificate.IsSelfIssued)];

    private static List<Certificate> Intermediates(params string[] names) => [.. names.SelectMany(Read).Where(static certificate => !certificate.IsSelfIssued)];

    private static List<Certificate> Read(string name)
    {
        using var stream = typeof(TrustAnchors).Assembly.GetManifestResourceStream(name)
            ?? throw new InvalidOperationException($"The root {name} is not in this assembly.");
        using var bytes = new MemoryStream();
        stream.CopyTo(bytes);
        return Certificate.ParsePem(bytes.ToArray(), maxCount: 4);
    }
}
