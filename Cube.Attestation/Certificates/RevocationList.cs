using System.Formats.Asn1;
using Cube.Attestation.Parsing;

namespace Cube.Attestation.Certificates;

/// <summary>
/// A certificate revocation list (RFC 5280 section 5.1).
/// <code>
/// tbs: SEQUENCE { version INTEGER OPTIONAL, algorithm, issuer Name, thisUpdate, nextUpdate OPTIONAL,
///                 revoked SEQUENCE OF SEQUENCE { serial INTEGER, date, extensions OPTIONAL } OPTIONAL, [0] extensions OPTIONAL }
/// </code>
/// One without a next update never ends, and is refused.
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

        Refusal.Unless(tbs.ReadEncodedValue().Span.SequenceEqual(_signed.Algorithm.Span), Codes.Crl, "A revocation list names two signature algorithms.");
        Issuer = tbs.ReadEncodedValue();
        ThisUpdate = Times.Read(tbs);
        NextUpdate = Times.Read(tbs);
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
            RefuseCriticalExtensions(tbs.ReadSequence(new Asn1Tag(TagClass.ContextSpecific, 0)).ReadSequence());
        }

        tbs.ThrowIfNotEmpty();
    }

    public ReadOnlyMemory<byte> Issuer { get; }

    public DateTimeOffset ThisUpdate { get; }

    public DateTimeOffset NextUpdate { get; }

    /// <exception cref="Refusal">Code <see cref="Codes.Crl"/>.</exception>
    public static RevocationList Parse(ReadOnlyMemory<byte> der)
    {
        try
        {
            return new RevocationList(der);
        }
        catch (Exception exception) when (exception is AsnContentException or ArgumentException)
        {
            throw new Refusal(Codes.Crl, "A revocation list cannot be read.");
        }
    }

    /// <exception cref="Refusal">Code <see cref="Codes.CrlIssuer"/>, or one of the two given.</exception>
    public void Check(Certificate issuer, DateTimeOffset now, string signatureCode = Codes.CrlSignature, string expiredCode = Codes.CrlExpired)
    {
        Refusal.Unless(Issuer.Span.SequenceEqual(issuer.Subject.Span), Codes.CrlIssuer, "A revocation list is another authority's.");
        Refusal.Unless(_signed.IsSignedBy(issuer.Key), signatureCode, "A revocation list is not signed by its issuer.");
        Refusal.Unless(ThisUpdate <= now && now <= NextUpdate, expiredCode, "A revocation list has expired or is not valid yet.");
    }

    /// <exception cref="Refusal">Code <see cref="Codes.CertRevoked"/>.</exception>
    public void RefuseRevoked(Certificate certificate) => Refusal.Unless(
        !_revoked.Any(serial => certificate.Serial.Span.SequenceEqual(serial)), Codes.CertRevoked, "A certificate has been revoked.");

    private static void RefuseCriticalExtensions(AsnReader extensions)
    {
        while (extensions.HasData)
        {
            var extension = extensions.ReadSequence();
            extension.ReadObjectIdentifier();
            Refusal.Unless(!extension.PeekTag().HasSameClassAndValue(Asn1Tag.Boolean) || !extension.ReadBoolean(), Codes.Crl, "A revocation list has an unknown critical extension.");
        }
    }
}
