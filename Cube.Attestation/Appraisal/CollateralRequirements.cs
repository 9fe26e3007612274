using Cube.Attestation.Certificates;
using Cube.Attestation.Evidence;
using Cube.Attestation.Parsing;
using Cube.Attestation.Snp;
using Cube.Attestation.Tdx;

namespace Cube.Attestation.Appraisal;

/// <summary>
/// The collateral (AMD's and Intel's Endorsements) that the Verifier needs for a piece of Evidence.
/// It is found by product, chip, TCB, FMSPC and certification authority. Addresses inside the Evidence are never used.
/// </summary>
/// <param name="AmdProduct">Milan, Genoa or Turin; null if the Evidence is not SEV-SNP or does not name the product.</param>
/// <param name="IsVlek">Whether the VLEK revocation list is needed instead of the VCEK list.</param>
/// <param name="VcekPath">Path below AMD's Key Distribution Service (KDS); null if the Evidence contains the certificates.</param>
/// <param name="Fmspc">12 hexadecimal digits; null if the Evidence is not TDX.</param>
/// <param name="IntelCa">platform or processor.</param>
public sealed record CollateralRequirements(string? AmdProduct, bool IsVlek, string? VcekPath, string? Fmspc, string? IntelCa)
{
    private static readonly CollateralRequirements _none = new(null, false, null, null, null);

    /// <summary>Returns an empty result if the Evidence cannot be parsed. The Verifier reports that error later.</summary>
    public static CollateralRequirements Of(EvidenceDocument evidence)
    {
        try
        {
            return evidence.IsSnpShaped ? OfSnp(evidence) : evidence.IsTdxShaped ? OfTdx(evidence) : _none;
        }
        catch (AppraisalException)
        {
            return _none;
        }
    }

    /// <summary><c>tcbEvaluationDataNumber</c> of the TCB info, which only increases; null if the collateral cannot be parsed.</summary>
    public static int? EvaluationNumberOf(TdxCollateral collateral)
    {
        try
        {
            return Tdx.TcbInfo.Parse(TdxCollateral.Signed(collateral.TcbInfo)).Validity.EvaluationNumber;
        }
        catch (AppraisalException)
        {
            return null;
        }
    }

    private static CollateralRequirements OfSnp(EvidenceDocument evidence)
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
        return new CollateralRequirements(product, report.IsSignedByVlek, bringsKey || report.IsSignedByVlek ? null : VcekPathOf(product, report.ChipId.Span, report.ReportedTcb), null, null);
    }

    private static string? ProductOf(EvidenceDocument evidence) => evidence.Certificates
        .Select(static der => Certificate.Parse(der).CommonName)
        .FirstOrDefault(static name => name?.StartsWith("ARK-", StringComparison.Ordinal) == true)?[4..];

    /// <summary>Path below AMD's KDS (VCEK certificate and KDS interface specification).</summary>
    /// <param name="chip">64 bytes. Turin uses the first 8 only.</param>
    internal static string VcekPathOf(string product, ReadOnlySpan<byte> chip, SnpTcb tcb)
    {
        var isTurin = product == "Turin";
        return $"/vcek/v1/{product}/{Convert.ToHexStringLower(isTurin ? chip[..8] : chip)}?blSPL={tcb.BootLoader:D2}&teeSPL={tcb.Tee:D2}&snpSPL={tcb.Snp:D2}&ucodeSPL={tcb.Microcode:D2}{(isTurin ? $"&fmcSPL={tcb.Fmc:D2}" : string.Empty)}";
    }

    private static CollateralRequirements OfTdx(EvidenceDocument evidence)
    {
        if (evidence.Quote is not { } quote || Certificate.ParsePem(TdxQuote.Parse(quote).PckChain, maxCount: 4) is not [var pck, var authority, ..])
        {
            return _none;
        }

        var ca = authority.CommonName?.EndsWith("Platform CA", StringComparison.Ordinal) == true ? "platform" : "processor";
        return new CollateralRequirements(null, false, null, Convert.ToHexString(PckExtension.Of(pck).Fmspc), ca);
    }
}
