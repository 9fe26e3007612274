using System.Security.Cryptography;
using System.Text;
using Cube.Attestation.Certificates;
using Cube.Attestation.Parsing;

namespace Cube.Attestation.Tdx;

/// <summary>Verifies the signatures and validity periods of collateral, independently of the platform.</summary>
internal static class TdxCollateralVerifier
{
    /// <summary>Verifies the root CA CRL and the PCK CRL. The PCK CRL must come from the authority that issued the platform's PCK certificate.</summary>
    /// <returns>The PCK CRL, and the earlier end of validity of both lists.</returns>
    /// <exception cref="AppraisalException">One of the codes of revocation lists.</exception>
    public static (RevocationList Platforms, DateTimeOffset Expires) VerifyRevocationLists(Certificate authority, Certificate root, TdxCollateral collateral, DateTimeOffset now)
    {
        var issuers = PckCrlIssuers(collateral);
        AppraisalException.ThrowUnless(issuers.Count is 1 or 2 && issuers[0].Spki.Span.SequenceEqual(authority.Spki.Span)
            && issuers[0].Subject.Span.SequenceEqual(authority.Subject.Span)
            && (issuers.Count == 1 || issuers[1].Der.Span.SequenceEqual(root.Der.Span)) && issuers[0].IsSignedBy(root),
            Codes.CrlIssuer, "The PCK revocation list was issued by another certification authority.");

        var rootCrl = RevocationList.Parse(collateral.RootCaCrl);
        rootCrl.Check(root, now, Codes.RootCrlSignature, Codes.RootCrlExpired);
        rootCrl.ThrowIfRevoked(authority);
        var pckCrl = RevocationList.Parse(collateral.PckCrl);
        pckCrl.Check(authority, now, Codes.PckCrlSignature, Codes.PckCrlExpired);
        return (pckCrl, rootCrl.NextUpdate < pckCrl.NextUpdate ? rootCrl.NextUpdate : pckCrl.NextUpdate);
    }

    public static List<Certificate> PckCrlIssuers(TdxCollateral collateral) => Certificate.ParsePem(Encoding.UTF8.GetBytes(collateral.PckCrlIssuerChain), maxCount: 4);

    /// <summary>Verifies the TCB info and the identity of the quoting enclave (QE). The caller must have verified the root CA CRL.</summary>
    /// <exception cref="AppraisalException">One of the codes of certificates, or of the signatures and validity periods of the two documents.</exception>
    public static (TcbInfo TcbInfo, QeIdentity QeIdentity, DateTimeOffset Expires) VerifyTcbInfoAndQeIdentity(TdxCollateral collateral, TrustAnchors anchors, DateTimeOffset now)
    {
        var (tcbSigner, tcbExpires) = SigningChain(collateral.TcbInfoIssuerChain, collateral, anchors, now);
        // Intel signs both with one key, so that the chains are usually the same.
        var (qeSigner, qeExpires) = collateral.QeIdentityIssuerChain == collateral.TcbInfoIssuerChain
            ? (tcbSigner, tcbExpires)
            : SigningChain(collateral.QeIdentityIssuerChain, collateral, anchors, now);
        var tcbBytes = TdxCollateral.Signed(collateral.TcbInfo);
        var qeBytes = TdxCollateral.Signed(collateral.QeIdentity);
        AppraisalException.ThrowUnless(tcbSigner.Key is EcKey tcbKey && tcbKey.VerifyRaw(tcbBytes, collateral.TcbInfoSignature.Span, HashAlgorithmName.SHA256),
            Codes.TcbJsonSignature, "The TCB info is not signed by Intel.");
        AppraisalException.ThrowUnless(qeSigner.Key is EcKey qeKey && qeKey.VerifyRaw(qeBytes, collateral.QeIdentitySignature.Span, HashAlgorithmName.SHA256),
            Codes.QeJsonSignature, "The identity of the quoting enclave is not signed by Intel.");

        var tcbInfo = TcbInfo.Parse(tcbBytes);
        var qeIdentity = QeIdentity.Parse(qeBytes);
        tcbInfo.Validity.Check(now, Codes.TcbJsonExpired);
        qeIdentity.Validity.Check(now, Codes.QeJsonExpired);
        return (tcbInfo, qeIdentity, new[] { tcbExpires, qeExpires, tcbInfo.Validity.NextUpdate, qeIdentity.Validity.NextUpdate }.Min());
    }

    private static (Certificate Signer, DateTimeOffset Expires) SigningChain(string pem, TdxCollateral collateral, TrustAnchors anchors, DateTimeOffset now)
    {
        var chain = Certificate.ParsePem(Encoding.UTF8.GetBytes(pem), maxCount: 4);
        var expires = CertificateChain.Verify(chain, anchors.Intel, now);
        AppraisalException.ThrowUnless(chain.Count == 2 && TdxVerifier.IsNamed(chain[0], "TCB Signing"), Codes.ChainIssuer, "The document is not signed by Intel's TCB signing certificate.");
        RevocationList.Parse(collateral.RootCaCrl).ThrowIfRevoked(chain[0]);
        return (chain[0], expires);
    }
}
