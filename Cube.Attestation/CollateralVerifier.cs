using Cube.Attestation.Certificates;
using Cube.Attestation.Parsing;
using Cube.Attestation.Snp;
using Cube.Attestation.Tdx;

namespace Cube.Attestation;

/// <summary>What a vendor's document is worth.</summary>
/// <param name="EndsAt">When it counts no longer; null where it is refused.</param>
/// <param name="Fault">Why it is refused, or null.</param>
public sealed record CollateralJudgement(DateTimeOffset? EndsAt, string? Fault);

/// <summary>
/// Judges vendors' documents by themselves, before any machine is: that their vendor signed them, that they are what their name says,
/// and that they have not ended. So a bad one never takes the place of a good one, and anybody may hand one over.
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
    public CollateralJudgement Judge(string name, byte[] content, DateTimeOffset now)
    {
        try
        {
            return new(name.Split('/') switch
            {
                ["amd-crl", "vcek" or "vlek", var product] => AmdCrl(product, content, now),
                ["amd-vcek", "vcek", "v1", var product, _] => Vcek(name, product, content, now),
                ["intel", var fmspc, ("platform" or "processor") and var ca] => Intel(fmspc, ca, content, now),
                _ => throw new Refusal(Codes.Collateral, "No vendor signs a document of this name."),
            }, null);
        }
        catch (Refusal refusal)
        {
            return new(null, refusal.Message);
        }
#pragma warning disable CA1031 // As in EvidenceVerifier: whatever a parser did not foresee is a refusal, with its reason for whoever handed it over.
        catch (Exception)
#pragma warning restore CA1031
        {
            return new(null, "The document cannot be read.");
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
            ?? throw new Refusal(Codes.ChainIssuer, "The certificate is not one of AMD's.");
        var expires = Chain.Verify([leaf, intermediate, Root(product)], _anchors.Amd, now);
        var extensions = VekExtensions.Of(leaf);
        Refusal.Unless(extensions.HardwareId is { } chip && chip.Length == (product == "Turin" ? 8 : 64) && name == CollateralName.Vcek(CollateralNeeds.VcekPathOf(product, chip, extensions.Tcb)),
            Codes.Product, "The certificate is another chip's, or for another TCB.");
        return expires;
    }

    private DateTimeOffset Intel(string fmspc, string ca, byte[] content, DateTimeOffset now)
    {
        var collateral = TdxCollateral.Parse(content);
        var authority = TdxDocuments.PlatformIssuers(collateral) is [var first, ..] ? first : throw new Refusal(Codes.CrlIssuer, "The revocation list of platforms has no issuer.");
        Refusal.Unless(TdxVerifier.IsNamed(authority, ca == "platform" ? "PCK Platform CA" : "PCK Processor CA"),
            Codes.CrlIssuer, "The revocation list of platforms is another authority's.");
        var (_, listsExpire) = TdxDocuments.Lists(authority, _anchors.Intel[0], collateral, now);
        var (tcbInfo, _, statementsExpire) = TdxDocuments.Statements(collateral, _anchors, now);
        Refusal.Unless(Convert.ToHexString(tcbInfo.Fmspc) == fmspc, Codes.TcbInfoMismatch, "The TCB info is another platform's.");
        return listsExpire < statementsExpire ? listsExpire : statementsExpire;
    }

    private Certificate Root(string product) => _anchors.Amd.FirstOrDefault(root => root.CommonName == $"ARK-{product}")
        ?? throw new Refusal(Codes.Product, "AMD has no such product.");
}
