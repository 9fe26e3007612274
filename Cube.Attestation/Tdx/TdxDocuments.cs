using System.Security.Cryptography;
using System.Text;
using Cube.Attestation.Certificates;
using Cube.Attestation.Parsing;

namespace Cube.Attestation.Tdx;

/// <summary>Intel's signatures and dates over what is in a collateral, whatever platform asks.</summary>
internal static class TdxDocuments
{
    /// <summary>Root list for the authorities, PCK list for the platforms; the latter must come from the very authority that issued the platform's key.</summary>
    /// <returns>The list of platforms, and when the first of both ends.</returns>
    /// <exception cref="Refusal">One of the codes of revocation lists.</exception>
    public static (RevocationList Platforms, DateTimeOffset Expires) Lists(Certificate authority, Certificate root, TdxCollateral collateral, DateTimeOffset now)
    {
        var issuers = PlatformIssuers(collateral);
        Refusal.Unless(issuers.Count is 1 or 2 && issuers[0].Spki.Span.SequenceEqual(authority.Spki.Span)
            && issuers[0].Subject.Span.SequenceEqual(authority.Subject.Span)
            && (issuers.Count == 1 || issuers[1].Der.Span.SequenceEqual(root.Der.Span)) && issuers[0].IsSignedBy(root),
            Codes.CrlIssuer, "The revocation list of platforms is another authority's.");

        var rootCrl = RevocationList.Parse(collateral.RootCaCrl);
        rootCrl.Check(root, now, Codes.RootCrlSignature, Codes.RootCrlExpired);
        rootCrl.RefuseRevoked(authority);
        var pckCrl = RevocationList.Parse(collateral.PckCrl);
        pckCrl.Check(authority, now, Codes.PckCrlSignature, Codes.PckCrlExpired);
        return (pckCrl, rootCrl.NextUpdate < pckCrl.NextUpdate ? rootCrl.NextUpdate : pckCrl.NextUpdate);
    }

    public static List<Certificate> PlatformIssuers(TdxCollateral collateral) => Certificate.ParsePem(Encoding.UTF8.GetBytes(collateral.PckCrlIssuerChain), most: 4);

    /// <summary>The TCB info and the identity of the quoting enclave. The root list must have been checked.</summary>
    /// <exception cref="Refusal">One of the codes of chains, of the two documents' signatures and of their dates.</exception>
    public static (TcbInfo TcbInfo, QeIdentity QeIdentity, DateTimeOffset Expires) Statements(TdxCollateral collateral, TrustAnchors anchors, DateTimeOffset now)
    {
        var (tcbSigner, tcbExpires) = SigningChain(collateral.TcbInfoIssuerChain, collateral, anchors, now);
        // Intel signs both with one key, so that both nearly always come with the same chain.
        var (qeSigner, qeExpires) = collateral.QeIdentityIssuerChain == collateral.TcbInfoIssuerChain
            ? (tcbSigner, tcbExpires)
            : SigningChain(collateral.QeIdentityIssuerChain, collateral, anchors, now);
        var tcbBytes = TdxCollateral.Signed(collateral.TcbInfo);
        var qeBytes = TdxCollateral.Signed(collateral.QeIdentity);
        Refusal.Unless(tcbSigner.Key is EcKey tcbKey && tcbKey.VerifyRaw(tcbBytes, collateral.TcbInfoSignature.Span, HashAlgorithmName.SHA256),
            Codes.TcbJsonSignature, "The TCB info is not signed by Intel.");
        Refusal.Unless(qeSigner.Key is EcKey qeKey && qeKey.VerifyRaw(qeBytes, collateral.QeIdentitySignature.Span, HashAlgorithmName.SHA256),
            Codes.QeJsonSignature, "The identity of the quoting enclave is not signed by Intel.");

        var tcbInfo = TcbInfo.Parse(tcbBytes);
        var qeIdentity = QeIdentity.Parse(qeBytes);
        tcbInfo.Validity.Check(now, Codes.TcbJsonExpired);
        qeIdentity.Validity.Check(now, Codes.QeJsonExpired);
        return (tcbInfo, qeIdentity, new[] { tcbExpires, qeExpires, tcbInfo.Validity.NextUpdate, qeIdentity.Validity.NextUpdate }.Min());
    }

    private static (Certificate Signer, DateTimeOffset Expires) SigningChain(string pem, TdxCollateral collateral, TrustAnchors anchors, DateTimeOffset now)
    {
        var chain = Certificate.ParsePem(Encoding.UTF8.GetBytes(pem), most: 4);
        var expires = Chain.Verify(chain, anchors.Intel, now);
        Refusal.Unless(chain.Count == 2 && TdxVerifier.IsNamed(chain[0], "TCB Signing"), Codes.ChainIssuer, "Intel's documents are signed by another certificate than the one for TCB.");
        RevocationList.Parse(collateral.RootCaCrl).RefuseRevoked(chain[0]);
        return (chain[0], expires);
    }
}
