using System.Formats.Asn1;
using System.Security.Cryptography;
using Cube.Attestation.Parsing;

namespace Cube.Attestation.Certificates;

/// <summary>
/// The common structure of certificates and revocation lists (RFC 5280 sections 4.1 and 5.1):
/// <code>SEQUENCE { tbs SEQUENCE, algorithm AlgorithmIdentifier, signature BIT STRING }</code>
/// in DER, without trailing bytes.
/// </summary>
internal sealed class SignedObject
{
    private readonly byte[] _signature;

    private SignedObject(ReadOnlyMemory<byte> tbs, ReadOnlyMemory<byte> algorithm, byte[] signature) =>
        (Tbs, Algorithm, _signature) = (tbs, algorithm, signature);

    public ReadOnlyMemory<byte> Tbs { get; }

    /// <summary>The AlgorithmIdentifier outside the signed part; it must equal the one inside.</summary>
    public ReadOnlyMemory<byte> Algorithm { get; }

    /// <exception cref="AsnContentException">The bytes are not this DER structure.</exception>
    public static SignedObject Parse(ReadOnlyMemory<byte> der)
    {
        var whole = new AsnReader(der, AsnEncodingRules.DER);
        var parts = whole.ReadSequence();
        whole.ThrowIfNotEmpty();
        var tbs = parts.PeekEncodedValue();
        parts.ReadSequence();
        var algorithm = parts.PeekEncodedValue();
        parts.ReadSequence();
        var signature = parts.ReadBitString(out var unused);
        parts.ThrowIfNotEmpty();
        return unused == 0 ? new SignedObject(tbs, algorithm, signature) : throw new AsnContentException();
    }

    public bool IsSignedBy(PublicKey key) => SignatureScheme.Parse(Algorithm).Verify(key, Tbs.Span, _signature);
}

/// <summary>A signature algorithm of certificates and revocation lists. Only the algorithms that the vendors use are supported.</summary>
internal sealed class SignatureScheme
{
    private readonly HashAlgorithmName _hash;
    private readonly RSASignaturePadding? _padding;

    private SignatureScheme(HashAlgorithmName hash, RSASignaturePadding? padding) => (_hash, _padding) = (hash, padding);

    /// <exception cref="AppraisalException">Code <see cref="Codes.Certificate"/>: the algorithm is not supported.</exception>
    public static SignatureScheme Parse(ReadOnlyMemory<byte> identifier)
    {
        var sequence = new AsnReader(identifier, AsnEncodingRules.DER).ReadSequence();
        var scheme = sequence.ReadObjectIdentifier() switch
        {
            "1.2.840.113549.1.1.11" => Pkcs1(sequence, HashAlgorithmName.SHA256),
            "1.2.840.113549.1.1.12" => Pkcs1(sequence, HashAlgorithmName.SHA384),
            "1.2.840.113549.1.1.13" => Pkcs1(sequence, HashAlgorithmName.SHA512),
            "1.2.840.113549.1.1.10" => Pss(sequence.ReadSequence()),
            "1.2.840.10045.4.3.2" => new(HashAlgorithmName.SHA256, null),
            "1.2.840.10045.4.3.3" => new(HashAlgorithmName.SHA384, null),
            _ => throw new AppraisalException(Codes.Certificate, "A certificate is signed with an algorithm that is not allowed."),
        };
        sequence.ThrowIfNotEmpty();
        return scheme;
    }

    public bool Verify(PublicKey key, ReadOnlySpan<byte> data, ReadOnlySpan<byte> signature) => (key, _padding) switch
    {
        (RsaKey rsa, { } padding) => rsa.Verify(data, signature, _hash, padding),
        (EcKey ec, null) => ec.VerifyDer(data, signature, _hash),
        _ => false,
    };

    private static SignatureScheme Pkcs1(AsnReader parameters, HashAlgorithmName hash)
    {
        parameters.ReadNull();
        return new(hash, RSASignaturePadding.Pkcs1);
    }

    /// <summary>RFC 4055 section 3.1. .NET supports a salt of the length of the hash only; the vendors use no other length.</summary>
    private static SignatureScheme Pss(AsnReader parameters)
    {
        var hash = Hash(Tagged(parameters, 0));
        var mask = Tagged(parameters, 1).ReadSequence();
        var isMgf1 = mask.ReadObjectIdentifier() == "1.2.840.113549.1.1.8";
        var maskHash = Hash(mask);
        mask.ThrowIfNotEmpty();
        var salt = Tagged(parameters, 2).ReadInteger();
        if (parameters.HasData)
        {
            isMgf1 &= Tagged(parameters, 3).ReadInteger() == 1;
        }

        parameters.ThrowIfNotEmpty();
        return isMgf1 && maskHash == hash && salt == (hash == HashAlgorithmName.SHA384 ? 48 : hash == HashAlgorithmName.SHA256 ? 32 : 64)
            ? new(hash, RSASignaturePadding.Pss)
            : throw new AppraisalException(Codes.Certificate, "A certificate is signed with PSS parameters that are not allowed.");
    }

    private static AsnReader Tagged(AsnReader reader, int tag) => reader.ReadSequence(new Asn1Tag(TagClass.ContextSpecific, tag));

    private static HashAlgorithmName Hash(AsnReader reader)
    {
        var identifier = reader.ReadSequence();
        var hash = identifier.ReadObjectIdentifier() switch
        {
            "2.16.840.1.101.3.4.2.1" => HashAlgorithmName.SHA256,
            "2.16.840.1.101.3.4.2.2" => HashAlgorithmName.SHA384,
            "2.16.840.1.101.3.4.2.3" => HashAlgorithmName.SHA512,
            _ => throw new AppraisalException(Codes.Certificate, "A certificate is signed over a hash that is not allowed."),
        };
        if (identifier.HasData)
        {
            identifier.ReadNull();
        }

        return hash;
    }
}
