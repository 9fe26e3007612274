using System.Security.Cryptography;
using Cube.Attestation.Certificates;
using Cube.Attestation.Parsing;

namespace Cube.Attestation.Snp;

/// <summary>Verifies a report and its certificates up to AMD's root certificate (ARK), and returns the claims.</summary>
internal static class SnpVerifier
{
    /// <param name="certificates">The untrusted certificates of the Evidence, leaf first.</param>
    /// <param name="crl">AMD's revocation list for the product, or null.</param>
    /// <param name="allowMaskedChipId">Whether a masked chip id (all zeros) is accepted with a VCEK.</param>
    /// <exception cref="AppraisalException">One of the codes of certificates or of AMD SEV-SNP.</exception>
    public static SnpClaims Verify(
        SnpReport report, IReadOnlyList<Certificate> certificates, byte[]? crl, TrustAnchors anchors, bool allowMaskedChipId, DateTimeOffset now)
    {
        AppraisalException.ThrowUnless(certificates.Count is >= 1 and <= 3, Codes.ChainLength, "A report must have one to three certificates.");
        var chain = Order(certificates, anchors);
        var (leaf, intermediate, root) = (chain[0], chain[1], chain[2]);
        var expires = CertificateChain.Verify(chain, anchors.Amd, now);

        var product = ProductOf(leaf, intermediate, root, report);
        var extensions = VekExtensions.Of(leaf);
        AppraisalException.ThrowUnless(extensions.ProductName == product || extensions.ProductName.StartsWith(product + "-", StringComparison.Ordinal),
            Codes.Product, "The product in the VCEK or VLEK certificate does not match its chain.");
        AppraisalException.ThrowUnless(leaf.Key is EcKey { IsP384: true } key && report.Signature() is { } signature && key.VerifyRaw(report.Signed, signature, HashAlgorithmName.SHA384),
            Codes.ReportSignature, "The report is not signed by the VCEK or VLEK.");
        AppraisalException.ThrowUnless(report.Generation is null || report.Generation.Product == product, Codes.Product, "The product of the report does not match its certificate chain.");
        AppraisalException.ThrowUnless(extensions.HasFmc == (report.Generation is { HasFmc: true }) && extensions.Tcb == report.ReportedTcb,
            Codes.ReportTcb, "The TCB of the VCEK or VLEK certificate differs from REPORTED_TCB.");
        CheckChipOrProvider(report, extensions, allowMaskedChipId);
        if (crl is { } list)
        {
            expires = Earlier(expires, CheckRevocation(list, intermediate, root, now));
        }

        CheckGuestPolicy(report);
        return Claims(report, product, extensions, crl is not null, expires);
    }

    /// <summary>Builds the chain from the Evidence, completed by AMD's published intermediates and roots.</summary>
    private static List<Certificate> Order(IReadOnlyList<Certificate> certificates, TrustAnchors anchors)
    {
        var leaf = certificates[0];
        var others = certificates.Skip(1).ToList();
        AppraisalException.ThrowUnless(others.Count(static other => other.IsSelfIssued) <= 1 && others.Count(static other => !other.IsSelfIssued) <= 1,
            Codes.ChainLength, "The evidence contains two roots or two intermediates.");
        var intermediate = others.FirstOrDefault(static other => !other.IsSelfIssued)
            ?? anchors.AmdIntermediates.FirstOrDefault(known => known.Subject.Span.SequenceEqual(leaf.Issuer.Span))
            ?? throw new AppraisalException(Codes.ChainIssuer, "The issuer of the VCEK or VLEK certificate is missing.");
        var root = others.FirstOrDefault(static other => other.IsSelfIssued)
            ?? anchors.Amd.FirstOrDefault(known => known.Subject.Span.SequenceEqual(intermediate.Issuer.Span))
            ?? throw new AppraisalException(Codes.UntrustedRoot, "The chain does not end at a pinned root.");
        return [leaf, intermediate, root];
    }

    private static string ProductOf(Certificate leaf, Certificate intermediate, Certificate root, SnpReport report)
    {
        var product = root.CommonName is ['A', 'R', 'K', '-', .. var name] ? name : throw new AppraisalException(Codes.Product, "The root certificate names no product.");
        var (leafName, intermediateName) = report.IsSignedByVlek ? ("SEV-VLEK", "SEV-VLEK-" + product) : ("SEV-VCEK", "SEV-" + product);
        AppraisalException.ThrowUnless(leaf.CommonName == leafName && intermediate.CommonName == intermediateName,
            Codes.LeafName, "The certificate names do not match the SIGNING_KEY of the report.");
        return product;
    }

    private static void CheckChipOrProvider(SnpReport report, VekExtensions extensions, bool allowMaskedChipId)
    {
        var chip = report.ChipId.Span;
        var isMasked = !chip.ContainsAnyExcept((byte)0);
        if (report.IsSignedByVlek)
        {
            AppraisalException.ThrowUnless(extensions.HardwareId is null && !string.IsNullOrEmpty(extensions.CspId), Codes.CspId, "A VLEK certificate must contain a CSP_ID and no HWID.");
            return;
        }

        var hardware = extensions.HardwareId ?? throw new AppraisalException(Codes.ChipId, "The VCEK certificate contains no HWID.");
        AppraisalException.ThrowUnless(hardware.Length == (extensions.HasFmc ? 8 : 64), Codes.ChipId, "The length of the HWID does not match the product.");
        AppraisalException.ThrowUnless(isMasked ? allowMaskedChipId : chip[..hardware.Length].SequenceEqual(hardware) && !chip[hardware.Length..].ContainsAnyExcept((byte)0),
            Codes.ChipId, isMasked ? "The chip id is masked, which the policy does not allow." : "CHIP_ID differs from the HWID of the VCEK certificate.");
    }

    private static DateTimeOffset CheckRevocation(ReadOnlyMemory<byte> crl, Certificate intermediate, Certificate root, DateTimeOffset now)
    {
        var list = RevocationList.Parse(crl);
        list.Check(root, now);
        list.ThrowIfRevoked(intermediate);
        return list.NextUpdate;
    }

    /// <summary>SEV-SNP ABI, guest policy: bit 17 must be one. DEBUG lets the host read and write guest memory; it is always rejected.</summary>
    private static void CheckGuestPolicy(SnpReport report)
    {
        AppraisalException.ThrowUnless((report.Policy & 1UL << 17) != 0 && report.Policy >> 26 == 0, Codes.GuestPolicy, "Reserved bits of the guest policy have the wrong value.");
        AppraisalException.ThrowUnless(!report.AllowsDebug, Codes.Debug, "The guest policy allows debugging by the host.");
        AppraisalException.ThrowUnless(report.Vmpl <= 3, Codes.Vmpl, "VMPL must be 0 to 3.");
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
