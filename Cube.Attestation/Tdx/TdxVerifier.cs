using System.Security.Cryptography;
using Cube.Attestation.Certificates;
using Cube.Attestation.Parsing;

namespace Cube.Attestation.Tdx;

/// <summary>Verifies a quote up to Intel's root certificate, in the order of Intel's quote verification library, and returns its claims.</summary>
internal static class TdxVerifier
{
    /// <param name="collateral">If null, the TCB status stays unknown.</param>
    /// <exception cref="AppraisalException">One of the codes of certificates or of Intel TDX.</exception>
    public static TdxClaims Verify(TdxQuote quote, TdxCollateral? collateral, TrustAnchors anchors, DateTimeOffset now)
    {
        var chain = Certificate.ParsePem(quote.PckChain, maxCount: 4);
        var expires = CertificateChain.Verify(chain, anchors.Intel, now);
        var pck = chain[0];
        AppraisalException.ThrowUnless(chain.Count == 3 && IsNamed(pck, "PCK Certificate") && (IsNamed(chain[1], "PCK Platform CA") || IsNamed(chain[1], "PCK Processor CA")),
            Codes.ChainIssuer, "The chain is not a PCK certificate below Intel's PCK Platform CA or PCK Processor CA.");
        VerifySignatures(quote, pck);
        var report = quote.Body;
        AppraisalException.ThrowUnless(!report.IsDebug, Codes.TdDebug, "The TD allows debugging by the host.");
        AppraisalException.ThrowUnless(!report.HasUntrustedBits, Codes.TdAttributes, "The TD attributes mark the TD as untrusted.");

        var extension = PckExtension.Of(pck);
        var claims = Claims(quote, extension, expires);
        return collateral is null ? claims : Appraise(claims, quote, chain, extension, collateral, anchors, now);
    }

    internal static bool IsNamed(Certificate certificate, string end) => certificate.CommonName?.EndsWith(end, StringComparison.Ordinal) == true;

    private static void VerifySignatures(TdxQuote quote, Certificate pck)
    {
        AppraisalException.ThrowUnless(pck.Key is EcKey { IsP384: false } pckKey && pckKey.VerifyRaw(quote.QeReport.Bytes, quote.QeSignature, HashAlgorithmName.SHA256),
            Codes.QeReportSignature, "The QE report is not signed by the PCK.");
        Span<byte> bound = stackalloc byte[64];
        SHA256.HashData([.. quote.AttestationKey, .. quote.QeAuthData], bound);
        bound[32..].Clear();
        AppraisalException.ThrowUnless(bound.SequenceEqual(quote.QeReport.ReportData), Codes.QeReportData, "REPORTDATA of the QE report is not the hash of the attestation key.");
        AppraisalException.ThrowUnless(EcKey.P256(quote.AttestationKey).VerifyRaw(quote.Signed.Span, quote.Signature, HashAlgorithmName.SHA256),
            Codes.QuoteSignature, "The quote is not signed by its attestation key.");
    }

    private static TdxClaims Appraise(
        TdxClaims claims, TdxQuote quote, List<Certificate> chain, PckExtension extension, TdxCollateral collateral, TrustAnchors anchors, DateTimeOffset now)
    {
        var (pck, authority, root) = (chain[0], chain[1], chain[2]);
        var (platforms, listsExpire) = TdxCollateralVerifier.VerifyRevocationLists(authority, root, collateral, now);
        platforms.ThrowIfRevoked(pck);
        var (tcbInfo, qeIdentity, statementsExpire) = TdxCollateralVerifier.VerifyTcbInfoAndQeIdentity(collateral, anchors, now);
        AppraisalException.ThrowUnless(tcbInfo.Fmspc.AsSpan().SequenceEqual(extension.Fmspc) && tcbInfo.PceId.AsSpan().SequenceEqual(extension.PceId),
            Codes.TcbInfoMismatch, "The TCB info is for another platform.");

        var qe = QeLevel(quote.QeReport, qeIdentity);
        var (status, advisories) = TcbEvaluation.Evaluate(quote.Body, extension, tcbInfo, qe);
        AppraisalException.ThrowUnless(status != TcbStatus.Revoked, Codes.TcbRevoked, "The TCB level of the platform is revoked.");
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
        AppraisalException.ThrowUnless(EqualUnder(identity.MiscSelectMask, report.MiscSelect, identity.MiscSelect)
            && EqualUnder(identity.AttributesMask, report.Attributes, identity.Attributes)
            && report.MrSigner.SequenceEqual(identity.MrSigner) && report.IsvProdId == identity.IsvProdId,
            Codes.QeIdentityMismatch, "The quoting enclave does not match Intel's QE identity.");
        return identity.Levels.FirstOrDefault(level => level.Svn <= report.IsvSvn)
            ?? throw new AppraisalException(Codes.QeNotSupported, "The quoting enclave is below every TCB level in the QE identity.");
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
        var report = quote.Body;
        return new TdxClaims
        {
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
