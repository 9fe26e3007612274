using System.Security.Cryptography;
using Cube.Attestation.Certificates;
using Cube.Attestation.Parsing;

namespace Cube.Attestation.Snp;

/// <summary>From a report and its certificates to claims that AMD's root stands for.</summary>
internal static class SnpVerifier
{
    /// <param name="certificates">Leaf first, then what else of the chain came along; none of it is trusted.</param>
    /// <param name="crl">AMD's revocation list of the product, or null.</param>
    /// <param name="allowMaskedChipId">A chip id of zeros under a VCEK passes.</param>
    /// <exception cref="AppraisalException">One of the codes of certificates or of AMD SEV-SNP.</exception>
    public static SnpClaims Verify(
        SnpReport report, IReadOnlyList<Certificate> certificates, byte[]? crl, TrustAnchors anchors, bool allowMaskedChipId, DateTimeOffset now)
    {
        AppraisalException.ThrowUnless(certificates.Count is >= 1 and <= 3, Codes.ChainLength, "A report comes with one to three certificates.");
        var chain = Order(certificates, anchors);
        var (leaf, intermediate, root) = (chain[0], chain[1], chain[2]);
        var expires = CertificateChain.Verify(chain, anchors.Amd, now);

        var product = ProductOf(leaf, intermediate, root, report);
        var extensions = VekExtensions.Of(leaf);
        AppraisalException.ThrowUnless(extensions.ProductName == product || extensions.ProductName.StartsWith(product + "-", StringComparison.Ordinal),
            Codes.Product, "The key's certificate names another product than its chain.");
        AppraisalException.ThrowUnless(leaf.Key is EcKey { IsP384: true } key && report.Signature() is { } signature && key.VerifyRaw(report.Signed, signature, HashAlgorithmName.SHA384),
            Codes.ReportSignature, "The report is not signed by the key of its certificate.");
        AppraisalException.ThrowUnless(report.Generation is null || report.Generation.Product == product, Codes.Product, "The report comes from another product than its chain.");
        AppraisalException.ThrowUnless(extensions.HasFmc == (report.Generation is { HasFmc: true }) && extensions.Tcb == report.ReportedTcb,
            Codes.ReportTcb, "The key was made for another TCB than the reported one.");
        CheckChipOrProvider(report, extensions, allowMaskedChipId);
        if (crl is { } list)
        {
            expires = Earlier(expires, CheckRevocation(list, intermediate, root, now));
        }

        CheckGuestPolicy(report);
        return Claims(report, product, extensions, crl is not null, expires);
    }

    /// <summary>The chain out of what came along, completed by the intermediates that AMD publishes.</summary>
    private static List<Certificate> Order(IReadOnlyList<Certificate> certificates, TrustAnchors anchors)
    {
        var leaf = certificates[0];
        var others = certificates.Skip(1).ToList();
        AppraisalException.ThrowUnless(others.Count(static other => other.IsSelfIssued) <= 1 && others.Count(static other => !other.IsSelfIssued) <= 1,
            Codes.ChainLength, "There are two roots or two intermediates.");
        var intermediate = others.FirstOrDefault(static other => !other.IsSelfIssued)
            ?? anchors.AmdIntermediates.FirstOrDefault(known => known.Subject.Span.SequenceEqual(leaf.Issuer.Span))
            ?? throw new AppraisalException(Codes.ChainIssuer, "The issuer of the report's key is not there.");
        var root = others.FirstOrDefault(static other => other.IsSelfIssued)
            ?? anchors.Amd.FirstOrDefault(known => known.Subject.Span.SequenceEqual(intermediate.Issuer.Span))
            ?? throw new AppraisalException(Codes.UntrustedRoot, "No pinned root issued the chain.");
        return [leaf, intermediate, root];
    }

    private static string ProductOf(Certificate leaf, Certificate intermediate, Certificate root, SnpReport report)
    {
        var product = root.CommonName is ['A', 'R', 'K', '-', .. var name] ? name : throw new AppraisalException(Codes.Product, "The root names no product.");
        var (leafName, intermediateName) = report.IsSignedByVlek ? ("SEV-VLEK", "SEV-VLEK-" + product) : ("SEV-VCEK", "SEV-" + product);
        AppraisalException.ThrowUnless(leaf.CommonName == leafName && intermediate.CommonName == intermediateName,
            Codes.LeafName, "The certificates are for another kind of key than the one the report names.");
        return product;
    }

    private static void CheckChipOrProvider(SnpReport report, VekExtensions extensions, bool allowMaskedChipId)
    {
        var chip = report.ChipId.Span;
        var isMasked = !chip.ContainsAnyExcept((byte)0);
        if (report.IsSignedByVlek)
        {
            AppraisalException.ThrowUnless(extensions.HardwareId is null && !string.IsNullOrEmpty(extensions.CspId), Codes.CspId, "A VLEK belongs to a provider and to no chip.");
            return;
        }

        var hardware = extensions.HardwareId ?? throw new AppraisalException(Codes.ChipId, "The VCEK's certificate names no chip.");
        AppraisalException.ThrowUnless(hardware.Length == (extensions.HasFmc ? 8 : 64), Codes.ChipId, "The chip id in the certificate has another length than its product's.");
        AppraisalException.ThrowUnless(isMasked ? allowMaskedChipId : chip[..hardware.Length].SequenceEqual(hardware) && !chip[hardware.Length..].ContainsAnyExcept((byte)0),
            Codes.ChipId, isMasked ? "The host masks the chip id, and the policy does not allow that." : "The report is another chip's.");
    }

    private static DateTimeOffset CheckRevocation(ReadOnlyMemory<byte> crl, Certificate intermediate, Certificate root, DateTimeOffset now)
    {
        var list = RevocationList.Parse(crl);
        list.Check(root, now);
        list.ThrowIfRevoked(intermediate);
        return list.NextUpdate;
    }

    /// <summary>SEV-SNP ABI, guest policy: bit 17 is one; DEBUG lets the host read and write the guest, and no policy of ours allows it.</summary>
    private static void CheckGuestPolicy(SnpReport report)
    {
        AppraisalException.ThrowUnless((report.Policy & 1UL << 17) != 0 && report.Policy >> 26 == 0, Codes.GuestPolicy, "Reserved bits of the guest policy have the wrong value.");
        AppraisalException.ThrowUnless(!report.AllowsDebug, Codes.Debug, "The guest may be debugged by its host.");
        AppraisalException.ThrowUnless(report.Vmpl <= 3, Codes.Vmpl, "There is no such privilege level.");
    }

    private static DateTimeOffset Earlier(DateTimeOffset one, DateTimeOffset other) => one < other ? one : other;

    private static SnpClaims Claims(SnpReport report, string product, VekExtensions extensions, bool revocationChecked, DateTimeOffset expires) => new()
    {
        Product = product,
        SigningKey = report.IsSignedByVlek ? "VLEK" : "VCEK",
        CspId = report.IsSignedByVlek ? extensions.CspId : null,
        GuestSvn = report.GuestSvn,
        GuestPolicy = report.Policy,
        MigrationAgentAllowed = report.AllowsMigrationAgent,
        Vmpl = report.Vmpl,
        Measurement = report.Measurement,
        HostData = report.HostData,
        IdKeyDigest = report.IdKeyDigest,
        AuthorKeyDigest = report.AuthorKeyDigest,
        FamilyId = report.FamilyId,
        ImageId = report.ImageId,
        ReportData = report.ReportData,
        ChipId = report.ChipId,
        ReportedTcb = report.ReportedTcb,
        CommittedTcb = report.CommittedTcb,
        LaunchTcb = report.LaunchTcb,
        Firmware = report.CurrentFirmware,
        CurrentMitigations = report.CurrentMitigations,
        RevocationChecked = revocationChecked,
        ExpiresAt = expires,
    };
}
