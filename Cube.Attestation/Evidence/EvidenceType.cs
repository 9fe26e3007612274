namespace Cube.Attestation.Evidence;

/// <summary>The types of Evidence in JSON. The Verifier rejects a type that does not match the parts.</summary>
public static class EvidenceType
{
    public const string SevSnp = "sev-snp";
    public const string Tdx = "tdx";
    public const string AzureSnp = "azure-snp";
    public const string AzureTdx = "azure-tdx";
    public const string Maa = "maa";

    /// <summary>A TPM quote alone. It proves what was booted, but not that the memory is protected.</summary>
    public const string Vtpm = "vtpm";

    public const string GcpLaunch = "gcp-launch";
    public const string Simulated = "simulated";

    /// <summary>Types that prove that the host cannot read the memory of the machine.</summary>
    public static IReadOnlyList<string> Confidential { get; } = [SevSnp, Tdx, AzureSnp, AzureTdx, Maa];
}
