using Cube.Attestation.Certificates;
using Cube.Attestation.Evidence;
using Cube.Attestation.Parsing;
using Cube.Attestation.Snp;
using Cube.Attestation.Tdx;

namespace Cube.Attestation;

/// <summary>
/// What a verifier fetches itself for a piece of evidence: by values that are looked up, never by addresses that the evidence names.
/// </summary>
/// <param name="AmdProduct">Milan, Genoa, Turin; null where it is not SEV-SNP, or does not say.</param>
/// <param name="IsVlek">Which of AMD's lists.</param>
/// <param name="VcekPath">Below AMD's key distribution service; null where the evidence brings its certificates.</param>
/// <param name="Fmspc">12 hexadecimal digits; null where it is not TDX.</param>
/// <param name="IntelCa">platform or processor.</param>
public sealed record CollateralNeeds(string? AmdProduct, bool IsVlek, string? VcekPath, string? Fmspc, string? IntelCa)
{
    private static readonly CollateralNeeds _none = new(null, false, null, null, null);

    /// <summary>Nothing where the evidence cannot be read: the verifier will say so.</summary>
    public static CollateralNeeds Of(EvidenceDocument evidence)
    {
        try
        {
            return evidence.IsSnpShaped ? OfSnp(evidence) : evidence.IsTdxShaped ? OfTdx(evidence) : _none;
        }
        catch (Refusal)
        {
            return _none;
        }
    }

    /// <summary>Intel's count of recoveries in the TCB info: it never goes back.</summary>
    public static int? EvaluationNumberOf(TdxCollateral collateral)
    {
        try
        {
            return Tdx.TcbInfo.Parse(TdxCollateral.Signed(collateral.TcbInfo)).Validity.EvaluationNumber;
        }
        catch (Refusal)
        {
            return null;
        }
    }

    private static CollateralNeeds OfSnp(EvidenceDocument evidence)
    {
        var bytes = evidence.Report ?? (evidence.HclReport is { } hcl ? Azure.HclReport.Parse(hcl).HardwareReport.ToArray() : null);
        if (bytes is null)
        {
            return _none;
        }

        var report = SnpReport.Parse(bytes);
        var product = report.Generation?.Product ?? ProductOf(evidence);
        if (product is not ("Milan" or "Genoa" or "Turin"))
        {
            return _none;
        }

        var bringsKey = evidence.Certificates.Count > 0 || evidence.CertificateTable is { Length: > 0 };
        return new CollateralNeeds(product, report.IsSignedByVlek, bringsKey || report.IsSignedByVlek ? null : VcekPathOf(product, report.ChipId.Span, report.ReportedTcb), null, null);
    }

    private static string? ProductOf(EvidenceDocument evidence) => evidence.Certificates
        .Select(static der => Certificate.Parse(der).CommonName)
        .FirstOrDefault(static name => name?.StartsWith("ARK-", StringComparison.Ordinal) == true)?[4..];

    /// <summary>Below AMD's key distribution service (VCEK certificate and KDS interface specification).</summary>
    /// <param name="chip">64 bytes, of which Turin names the first 8.</param>
    internal static string VcekPathOf(string product, ReadOnlySpan<byte> chip, SnpTcb tcb)
    {
        var isTurin = product == "Turin";
        return $"/vcek/v1/{product}/{Convert.ToHexStringLower(isTurin ? chip[..8] : chip)}?blSPL={tcb.BootLoader:D2}&teeSPL={tcb.Tee:D2}&snpSPL={tcb.Snp:D2}&ucodeSPL={tcb.Microcode:D2}{(isTurin ? $"&fmcSPL={tcb.Fmc:D2}" : string.Empty)}";
    }

    private static CollateralNeeds OfTdx(EvidenceDocument evidence)
    {
        if (evidence.Quote is not { } quote || Certificate.ParsePem(TdxQuote.Parse(quote).PckChain, most: 4) is not [var pck, var authority, ..])
        {
            return _none;
        }

        var ca = authority.CommonName?.EndsWith("Platform CA", StringComparison.Ordinal) == true ? "platform" : "processor";
        return new CollateralNeeds(null, false, null, Convert.ToHexString(PckExtension.Of(pck).Fmspc), ca);
    }
}
