using System.Formats.Asn1;
using Cube.Attestation.Parsing;

namespace Cube.Attestation.Certificates;

/// <summary>
/// A certificate revocation list (RFC 5280 section 5.1).
/// <code>
/// tbs: SEQUENCE { version INTEGER OPTIONAL, algorithm, issuer Name, thisUpdate, nextUpdate OPTIONAL,
///                 revoked SEQUENCE OF SEQUENCE { serial INTEGER, date, extensions OPTIONAL } OPTIONAL, [0] extensions OPTIONAL }
/// </code>
/// A list without nextUpdate is rejected, because it would never expire.
/// </summary>
internal sealed class RevocationList
{
    private readonly SignedObject _signed;
    private readonly List<byte[]> _revoked = [];

    private RevocationList(ReadOnlyMemory<byte> der)
    {
        _signed = SignedObject.Parse(der);
        var tbs = new AsnReader(_signed.Tbs, AsnEncodingRules.DER).ReadSequence();
        if (tbs.PeekTag().HasSameClassAndValue(Asn1Tag.Integer))
        {
            tbs.ReadInteger();
        }

        AppraisalException.ThrowUnless(tbs.ReadEncodedValue().Span.SequenceEqual(_signed.Algorithm.Span), Codes.Crl, "A revocation list names two signature algorithms.");
        Issuer = tbs.ReadEncodedValue();
        ThisUpdate = Asn1Time.Read(tbs);
        NextUpdate = Asn1Time.Read(tbs);
        if (tbs.HasData && tbs.PeekTag().HasSameClassAndValue(Asn1Tag.Sequence))
        {
            var list = tbs.ReadSequence();
            while (list.HasData)
            {
                _revoked.Add(list.ReadSequence().ReadIntegerBytes().ToArray());
            }
        }

        if (tbs.HasData)
        {
            RejectCriticalExtensions(tbs.ReadSequence(new Asn1Tag(TagClass.ContextSpecific, 0)).ReadSequence());
        }

        tbs.ThrowIfNotEmpty();
    }

    public ReadOnlyMemory<byte> Issuer { get; }

    public DateTimeOffset ThisUpdate { get; }

    public DateTimeOffset NextUpdate { get; }

    /// <exception cref="AppraisalException">Code <see cref="Codes.Crl"/>.</exception>
    public static RevocationList Parse(ReadOnlyMemory<byte> der)
    {
        try
        {
            return new RevocationList(der);
        }
        catch (Exception exception) when (exception is AsnContentException or ArgumentException)
        {
            throw new AppraisalException(Codes.Crl, "A revocation list cannot be parsed.");
        }
    }

    /// <exception cref="AppraisalException">Code <see cref="Codes.CrlIssuer"/>, or one of the two code arguments.</exception>
    public void Check(Certificate issuer, DateTimeOffset now, string signatureCode = Codes.CrlSignature, string expiredCode = Codes.CrlExpired)
    {
        AppraisalException.ThrowUnless(Issuer.Span.SequenceEqual(issuer.Subject.Span), Codes.CrlIssuer, "A revocation list was issued by another certification authority.");
        AppraisalException.ThrowUnless(_signed.IsSignedBy(issuer.Key), signatureCode, "A revocation list is not signed by its issuer.");
        AppraisalException.ThrowUnless(ThisUpdate <= now && now <= NextUpdate, expiredCode, "A revocation list has expired or is not valid yet.");
    }

    /// <exception cref="AppraisalException">Code <see cref="Codes.CertRevoked"/>.</exception>
    public void ThrowIfRevoked(Certificate certificate) => AppraisalException.ThrowUnless(
        !_revoked.Any(serial => certificate.Serial.Span.SequenceEqual(serial)), Codes.CertRevoked, "A certificate has been revoked.");

    private static void RejectCriticalExtensions(AsnReader extensions)
    {
        while (extensions.HasData)
        {
            var extension = extensions.ReadSequence();
            extension.ReadObjectIdentifier();
            AppraisalException.ThrowUnless(!extension.PeekTag().HasSameClassAndValue(Asn1Tag.Boolean) || !extension.ReadBoolean(), Codes.Crl, "A revocation list has an unknown critical extension.");
        }
    }
}
