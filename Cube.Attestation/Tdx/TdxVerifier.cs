using System.Security.Cryptography;
using Cube.Attestation.Certificates;
using Cube.Attestation.Parsing;

namespace Cube.Attestation.Tdx;

/// <summary>From a quote to claims that Intel's root stands for (the order of Intel's quote verification library).</summary>
internal static class TdxVerifier
{
    /// <param name="collateral">Null leaves the TCB unjudged; the caller decides what that is worth.</param>
    /// <exception cref="Refusal">One of the codes of certificates or of Intel TDX.</exception>
    public static TdxClaims Verify(TdxQuote quote, TdxCollateral? collateral, TrustAnchors anchors, DateTimeOffset now)
    {
        var chain = Certificate.ParsePem(quote.PckChain, most: 4);
        var expires = Chain.Verify(chain, anchors.Intel, now);
        var pck = chain[0];
        Refusal.Unless(chain.Count == 3 && IsNamed(pck, "PCK Certificate") && (IsNamed(chain[1], "PCK Platform CA") || IsNamed(chain[1], "PCK Processor CA")),
            Codes.ChainIssuer, "The quote's key was not certified by one of Intel's PCK authorities.");
        VerifySignatures(quote, pck);
        var report = quote.Report;
        Refusal.Unless(!report.IsDebug, Codes.TdDebug, "The TD may be debugged by its host.");
        Refusal.Unless(!report.HasUntrustedBits, Codes.TdAttributes, "The TD is marked as untrusted.");

        var extension = PckExtension.Of(pck);
        var claims = Claims(quote, extension, expires);
        return collateral is null ? claims : Judge(claims, quote, chain, extension, collateral, anchors, now);
    }

    internal static bool IsNamed(Certificate certificate, string end) => certificate.CommonName?.EndsWith(end, StringComparison.Ordinal) == true;

    private static void VerifySignatures(TdxQuote quote, Certificate pck)
    {
        Refusal.Unless(pck.Key is EcKey { IsP384: false } pckKey && pckKey.VerifyRaw(quote.QeReport.Bytes, quote.QeSignature, HashAlgorithmName.SHA256),
            Codes.QeReportSignature, "The quoting enclave's report is not signed by the platform's key.");
        Span<byte> bound = stackalloc byte[64];
        SHA256.HashData([.. quote.AttestationKey, .. quote.QeAuthData], bound);
        bound[32..].Clear();
        Refusal.Unless(bound.SequenceEqual(quote.QeReport.ReportData), Codes.QeReportData, "The quoting enclave does not stand for the quote's key.");
        Refusal.Unless(EcKey.P256(quote.AttestationKey).VerifyRaw(quote.Signed.Span, quote.Signature, HashAlgorithmName.SHA256),
            Codes.QuoteSignature, "The quote is not signed by its key.");
    }

    private static TdxClaims Judge(
        TdxClaims claims, TdxQuote quote, List<Certificate> chain, PckExtension extension, TdxCollateral collateral, TrustAnchors anchors, DateTimeOffset now)
    {
        var (pck, authority, root) = (chain[0], chain[1], chain[2]);
        var (platforms, listsExpire) = TdxDocuments.Lists(authority, root, collateral, now);
        platforms.RefuseRevoked(pck);
        var (tcbInfo, qeIdentity, statementsExpire) = TdxDocuments.Statements(collateral, anchors, now);
        Refusal.Unless(tcbInfo.Fmspc.AsSpan().SequenceEqual(extension.Fmspc) && tcbInfo.PceId.AsSpan().SequenceEqual(extension.PceId),
            Codes.TcbInfoMismatch, "The TCB info is another platform's.");

        var qe = QeLevel(quote.QeReport, qeIdentity);
        var (status, advisories) = TcbEvaluation.Evaluate(quote.Report, extension, tcbInfo, qe);
        Refusal.Unless(status != TcbStatus.Revoked, Codes.TcbRevoked, "Intel has revoked the platform's TCB level.");
        return claims with
        {
            TcbStatus = status,
            Advisories = advisories,
            TcbEvaluationNumber = Math.Min(tcbInfo.Validity.EvaluationNumber, qeIdentity.Validity.EvaluationNumber),
            ExpiresAt = new[] { claims.ExpiresAt, listsExpire, statementsExpire }.Min(),
        };
    }

    private static IsvLevel QeLevel(QeReport report, QeIdentity identity)
    {
        Refusal.Unless(EqualUnder(identity.MiscSelectMask, report.MiscSelect, identity.MiscSelect)
            && EqualUnder(identity.AttributesMask, report.Attributes, identity.Attributes)
            && report.MrSigner.SequenceEqual(identity.MrSigner) && report.IsvProdId == identity.IsvProdId,
            Codes.QeIdentityMismatch, "The quoting enclave is not Intel's.");
        return identity.Levels.FirstOrDefault(level => level.Svn <= report.IsvSvn)
            ?? throw new Refusal(Codes.QeNotSupported, "The quoting enclave is older than every level that Intel lists.");
    }

    private static bool EqualUnder(ReadOnlySpan<byte> mask, ReadOnlySpan<byte> found, ReadOnlySpan<byte> expected)
    {
        for (var i = 0; i < mask.Length; i++)
        {
            if ((found[i] & mask[i]) != (expected[i] & mask[i]))
            {
                return false;
            }
        }

        return true;
    }

    private static TdxClaims Claims(TdxQuote quote, PckExtension extension, DateTimeOffset expires)
    {
        var report = quote.Report;
        return new TdxClaims
        {
            QuoteVersion = quote.Version,
            TeeTcbSvn = report.TeeTcbSvn,
            MrSeam = report.MrSeam,
            TdAttributes = report.TdAttributes,
            SeptVeDisable = report.SeptVeDisable,
            IsMigratable = report.IsMigratable,
            Xfam = report.Xfam,
            MrTd = report.MrTd,
            MrConfigId = report.MrConfigId,
            MrOwner = report.MrOwner,
            MrOwnerConfig = report.MrOwnerConfig,
            Rtmrs = [report.Rtmr(0), report.Rtmr(1), report.Rtmr(2), report.Rtmr(3)],
            ReportData = report.ReportData,
            Fmspc = extension.Fmspc,
            PceSvn = extension.PceSvn,
            QeSvn = quote.QeReport.IsvSvn,
            ExpiresAt = expires,
        };
    }
}
