using Cube.Attestation.Certificates;
using Cube.Attestation.Parsing;
using Cube.Attestation.Snp;
using Cube.Attestation.Tdx;

namespace Cube.Attestation.Appraisal;

/// <summary>The result of verifying a vendor document.</summary>
/// <param name="ExpiresAt">End of validity; null if the document is rejected.</param>
/// <param name="Error">Why the document is rejected, or null.</param>
public sealed record CollateralAppraisal(DateTimeOffset? ExpiresAt, string? Error);

/// <summary>
/// Verifies vendor documents independently of any Evidence: the vendor's signature, the match between content and name, and the validity period.
/// An invalid document therefore never replaces a valid one, and documents may come from an untrusted source.
/// </summary>
public sealed class CollateralVerifier
{
    private readonly TrustAnchors _anchors;

    public CollateralVerifier()
        : this(TrustAnchors.Vendor)
    {
    }

    internal CollateralVerifier(TrustAnchors anchors) => _anchors = anchors;

    /// <param name="name">One of <see cref="CollateralName"/>.</param>
    public CollateralAppraisal Verify(string name, byte[] content, DateTimeOffset now)
    {
        try
        {
            return new(name.Split('/') switch
            {
                ["amd-crl", "vcek" or "vlek", var product] => AmdCrl(product, content, now),
                ["amd-vcek", "vcek", "v1", var product, _] => Vcek(name, product, content, now),
                ["intel", var fmspc, ("platform" or "processor") and var ca] => Intel(fmspc, ca, content, now),
                _ => throw new AppraisalException(Codes.Collateral, "No vendor signs documents with this name."),
            }, null);
        }
        catch (AppraisalException exception)
        {
            return new(null, exception.Message);
        }
#pragma warning disable CA1031 // As in EvidenceVerifier: an unexpected parser exception is a rejection.
        catch (Exception)
#pragma warning restore CA1031
        {
            return new(null, "The document cannot be parsed.");
        }
    }

    private DateTimeOffset AmdCrl(string product, byte[] content, DateTimeOffset now)
    {
        var list = RevocationList.Parse(content);
        list.Check(Root(product), now);
        return list.NextUpdate;
    }

    private DateTimeOffset Vcek(string name, string product, byte[] content, DateTimeOffset now)
    {
        var leaf = Certificate.Parse(content);
        var intermediate = _anchors.AmdIntermediates.FirstOrDefault(known => known.Subject.Span.SequenceEqual(leaf.Issuer.Span))
            ?? throw new AppraisalException(Codes.ChainIssuer, "AMD did not issue the certificate.");
        var expires = CertificateChain.Verify([leaf, intermediate, Root(product)], _anchors.Amd, now);
        var extensions = VekExtensions.Of(leaf);
        AppraisalException.ThrowUnless(extensions.HardwareId is { } chip && chip.Length == (product == "Turin" ? 8 : 64) && name == CollateralName.Vcek(CollateralRequirements.VcekPathOf(product, chip, extensions.Tcb)),
            Codes.Product, "The certificate belongs to another chip or TCB than its name states.");
        return expires;
    }

    private DateTimeOffset Intel(string fmspc, string ca, byte[] content, DateTimeOffset now)
    {
        var collateral = TdxCollateral.Parse(content);
        var authority = TdxCollateralVerifier.PckCrlIssuers(collateral) is [var first, ..] ? first : throw new AppraisalException(Codes.CrlIssuer, "The PCK revocation list has no issuer chain.");
        AppraisalException.ThrowUnless(TdxVerifier.IsNamed(authority, ca == "platform" ? "PCK Platform CA" : "PCK Processor CA"),
            Codes.CrlIssuer, "The PCK revocation list was issued by another certification authority.");
        var (_, listsExpire) = TdxCollateralVerifier.VerifyRevocationLists(authority, _anchors.Intel[0], collateral, now);
        var (tcbInfo, _, statementsExpire) = TdxCollateralVerifier.VerifyTcbInfoAndQeIdentity(collateral, _anchors, now);
        AppraisalException.ThrowUnless(Convert.ToHexString(tcbInfo.Fmspc) == fmspc, Codes.TcbInfoMismatch, "The TCB info is for another platform.");
        return listsExpire < statementsExpire ? listsExpire : statementsExpire;
    }

    private Certificate Root(string product) => _anchors.Amd.FirstOrDefault(root => root.CommonName == $"ARK-{product}")
        ?? throw new AppraisalException(Codes.Product, "AMD publishes no root certificate for this product.");
}
