namespace Cube.Attestation.Evidence;

/// <summary>What kind of evidence, in the words of its JSON. The verifier decides from the parts; a wrong word is a refusal.</summary>
public static class EvidenceType
{
    public const string SevSnp = "sev-snp";
    public const string Tdx = "tdx";
    public const string AzureSnp = "azure-snp";
    public const string AzureTdx = "azure-tdx";
    public const string Maa = "maa";

    /// <summary>A TPM's quote alone: who booted what, but nothing about who can read the memory.</summary>
    public const string Vtpm = "vtpm";

    public const string GcpLaunch = "gcp-launch";
    public const string Simulated = "simulated";

    /// <summary>Those that prove that a machine is closed to its host.</summary>
    public static IReadOnlyList<string> Confidential { get; } = [SevSnp, Tdx, AzureSnp, AzureTdx, Maa];
}
