using System.Formats.Asn1;
using System.Security.Cryptography;
using Cube.Attestation.Parsing;

namespace Cube.Attestation.Certificates;

/// <summary>
/// An X.509 v3 certificate (RFC 5280 section 4.1), parsed strictly. <c>X509Chain</c> is not used: it fetches certificates, trusts the
/// roots of the operating system, does not support RSASSA-PSS on every platform, and reports errors less precisely.
/// <code>
/// tbs: SEQUENCE { [0] version v3, serial INTEGER, algorithm, issuer Name, validity SEQUENCE { from, to }, subject Name,
///                 spki SubjectPublicKeyInfo, [3] extensions }
/// </code>
/// </summary>
internal sealed class Certificate
{
    private const string BasicConstraints = "2.5.29.19";
    private const string KeyUsage = "2.5.29.15";
    private readonly Dictionary<string, byte[]> _extensions = [];
    private readonly SignedObject _signed;

    private Certificate(ReadOnlyMemory<byte> der)
    {
        Der = der;
        _signed = SignedObject.Parse(der);
        var tbs = new AsnReader(_signed.Tbs, AsnEncodingRules.DER).ReadSequence();
        Serial = ReadVersionAndSerial(tbs);
        AppraisalException.ThrowUnless(tbs.ReadEncodedValue().Span.SequenceEqual(_signed.Algorithm.Span), Codes.Certificate, "A certificate names two signature algorithms.");
        Issuer = tbs.ReadEncodedValue();
        var validity = tbs.ReadSequence();
        NotBefore = Asn1Time.Read(validity);
        NotAfter = Asn1Time.Read(validity);
        validity.ThrowIfNotEmpty();
        Subject = tbs.ReadEncodedValue();
        CommonName = ReadCommonName(Subject);
        Spki = tbs.ReadEncodedValue();
        Key = PublicKey.FromSpki(Spki);
        if (tbs.HasData)
        {
            ReadExtensions(tbs.ReadSequence(new Asn1Tag(TagClass.ContextSpecific, 3)));
        }

        tbs.ThrowIfNotEmpty();
        IsCa = ReadIsCa();
    }

    public ReadOnlyMemory<byte> Der { get; }

    public ReadOnlyMemory<byte> Serial { get; }

    public ReadOnlyMemory<byte> Issuer { get; }

    public ReadOnlyMemory<byte> Subject { get; }

    public string? CommonName { get; }

    public DateTimeOffset NotBefore { get; }

    public DateTimeOffset NotAfter { get; }

    public ReadOnlyMemory<byte> Spki { get; }

    public PublicKey Key { get; }

    /// <summary>True if the certificate may sign certificates: CA:TRUE, and keyCertSign if there is a key usage.</summary>
    public bool IsCa { get; }

    public bool IsSelfIssued => Issuer.Span.SequenceEqual(Subject.Span);

    public byte[] Sha256 => SHA256.HashData(Der.Span);

    /// <exception cref="AppraisalException">Code <see cref="Codes.Certificate"/>.</exception>
    public static Certificate Parse(ReadOnlyMemory<byte> der)
    {
        try
        {
            return new Certificate(der);
        }
        catch (Exception exception) when (exception is AsnContentException or CryptographicException or ArgumentException)
        {
            throw new AppraisalException(Codes.Certificate, "A certificate cannot be parsed.");
        }
    }

    /// <summary>Parses a certificate from an NV index of a TPM: zeros fill the index after the certificate.</summary>
    public static Certificate ParsePadded(ReadOnlyMemory<byte> der)
    {
        if (!AsnDecoder.TryReadEncodedValue(der.Span, AsnEncodingRules.DER, out _, out _, out _, out var length)
            || der.Span[length..].ContainsAnyExcept((byte)0))
        {
            throw new AppraisalException(Codes.Certificate, "A certificate cannot be parsed, or bytes other than zeros follow it.");
        }

        return Parse(der[..length]);
    }

    public static List<Certificate> ParsePem(ReadOnlySpan<byte> pem, int maxCount) => [.. Pem.Certificates(pem, maxCount).Select(static der => Parse(der))];

    public bool IsSignedBy(Certificate issuer) => _signed.IsSignedBy(issuer.Key);

    public bool IsValidAt(DateTimeOffset now) => NotBefore <= now && now <= NotAfter;

    /// <returns>The value of the extension, or null.</returns>
    public byte[]? Extension(string oid) => _extensions.TryGetValue(oid, out var value) ? value : null;

    private static ReadOnlyMemory<byte> ReadVersionAndSerial(AsnReader tbs)
    {
        var version = tbs.ReadSequence(new Asn1Tag(TagClass.ContextSpecific, 0));
        var isV3 = version.ReadInteger() == 2;
        version.ThrowIfNotEmpty();
        AppraisalException.ThrowUnless(isV3, Codes.Certificate, "A certificate is not X.509 v3.");
        return tbs.ReadIntegerBytes();
    }

    private static string? ReadCommonName(ReadOnlyMemory<byte> name)
    {
        string? found = null;
        var sequence = new AsnReader(name, AsnEncodingRules.DER).ReadSequence();
        while (sequence.HasData)
        {
            var set = sequence.ReadSetOf();
            while (set.HasData)
            {
                var attribute = set.ReadSequence();
                if (attribute.ReadObjectIdentifier() == "2.5.4.3")
                {
                    AppraisalException.ThrowUnless(found is null, Codes.Certificate, "A certificate has two common names.");
                    var tag = attribute.PeekTag();
                    found = tag.TagClass == TagClass.Universal && (UniversalTagNumber)tag.TagValue is UniversalTagNumber.UTF8String
                        or UniversalTagNumber.PrintableString or UniversalTagNumber.IA5String or UniversalTagNumber.T61String
                            ? attribute.ReadCharacterString((UniversalTagNumber)tag.TagValue)
                            : throw new AsnContentException();
                }
            }
        }

        return found;
    }

    private void ReadExtensions(AsnReader outer)
    {
        var list = outer.ReadSequence();
        outer.ThrowIfNotEmpty();
        while (list.HasData)
        {
            var extension = list.ReadSequence();
            var oid = extension.ReadObjectIdentifier();
            var critical = extension.PeekTag().HasSameClassAndValue(Asn1Tag.Boolean) && extension.ReadBoolean();
            var value = extension.ReadOctetString();
            extension.ThrowIfNotEmpty();
            // RFC 5280 section 4.2: an unknown critical extension is an error. Callers check names and extended key usages of leaf certificates.
            AppraisalException.ThrowUnless(!critical || oid is BasicConstraints or KeyUsage or "2.5.29.37" or "2.5.29.17", Codes.Certificate, "A certificate has an unknown critical extension.");
            AppraisalException.ThrowUnless(_extensions.TryAdd(oid, value), Codes.Certificate, "A certificate has an extension twice.");
        }
    }

    private bool ReadIsCa()
    {
        if (Extension(BasicConstraints) is not { } constraints)
        {
            return false;
        }

        var sequence = new AsnReader(constraints, AsnEncodingRules.DER).ReadSequence();
        var isCa = sequence.HasData && sequence.PeekTag().HasSameClassAndValue(Asn1Tag.Boolean) && sequence.ReadBoolean();
        return isCa && (Extension(KeyUsage) is not { } usage || MaySignCertificates(usage));
    }

    /// <summary>keyCertSign, bit 5 (RFC 5280 section 4.2.1.3). AMD does not trim trailing zero bits, so that DER's rule for them is not applied.</summary>
    private static bool MaySignCertificates(byte[] usage) => new AsnReader(usage, AsnEncodingRules.DER).ReadBitString(out _) is [var first, ..] && (first & 0x04) != 0;
}

/// <summary>The Time type of certificates and revocation lists: UTCTime or GeneralizedTime (RFC 5280 section 4.1.2.5).</summary>
internal static class Asn1Time
{
    public static DateTimeOffset Read(AsnReader reader) => reader.PeekTag().HasSameClassAndValue(Asn1Tag.UtcTime)
        ? reader.ReadUtcTime(twoDigitYearMax: 2049)
        : reader.ReadGeneralizedTime();
}
