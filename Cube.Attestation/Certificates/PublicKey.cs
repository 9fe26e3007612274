using System.Formats.Asn1;
using System.Security.Cryptography;
using Cube.Attestation.Parsing;

namespace Cube.Attestation.Certificates;

/// <summary>A public key: RSA of 2048 to 4096 bits, or ECDSA on P-256 or P-384. It holds the parameters; each verification creates and disposes a native key.</summary>
internal abstract class PublicKey
{
    /// <summary>The only hash algorithm that the key may be used with (TPM keys); null for keys of certificates.</summary>
    public HashAlgorithmName? RequiredHash { get; init; }

    /// <summary>
    /// Reads the parameters only. The first verification checks whether they form a key (for EC, a point on the curve), because that check is expensive.
    /// <code>
    /// SEQUENCE { SEQUENCE { algorithm OID, NULL | curve OID }, BIT STRING { SEQUENCE { modulus, exponent } | 04 x y } }
    /// </code>
    /// </summary>
    /// <param name="spki">DER SubjectPublicKeyInfo (RFC 5280 section 4.1, RFC 3279 section 2.3.1, RFC 5480 section 2).</param>
    /// <exception cref="AppraisalException">Code <see cref="Codes.Certificate"/>: the key type is not supported.</exception>
    public static PublicKey FromSpki(ReadOnlyMemory<byte> spki)
    {
        try
        {
            var outer = new AsnReader(spki, AsnEncodingRules.DER);
            var info = outer.ReadSequence();
            outer.ThrowIfNotEmpty();
            var algorithm = info.ReadSequence();
            PublicKey key = algorithm.ReadObjectIdentifier() switch
            {
                "1.2.840.10045.2.1" => EcKey.Read(algorithm.ReadObjectIdentifier(), BitsOf(info)),
                "1.2.840.113549.1.1.1" => RsaKey.Read(algorithm, BitsOf(info)),
                _ => throw new AsnContentException(),
            };
            algorithm.ThrowIfNotEmpty();
            info.ThrowIfNotEmpty();
            return key;
        }
        catch (AsnContentException)
        {
            throw new AppraisalException(Codes.Certificate, "A public key cannot be parsed.");
        }
    }

    private static byte[] BitsOf(AsnReader info) => info.ReadBitString(out var unused) is var bits && unused == 0 ? bits : throw new AsnContentException();
}

internal sealed class RsaKey : PublicKey
{
    private readonly RSAParameters _parameters;

    public RsaKey(RSAParameters parameters)
    {
        AppraisalException.ThrowUnless(parameters.Modulus is { Length: >= 256 and <= 512 } && parameters.Exponent is { Length: >= 1 and <= 4 },
            Codes.Certificate, "An RSA key has fewer than 2048 or more than 4096 bits.");
        _parameters = parameters;
    }

    /// <exception cref="AsnContentException">The value is not an RSAPublicKey (RFC 8017 appendix A.1.1).</exception>
    public static RsaKey Read(AsnReader algorithm, byte[] bits)
    {
        algorithm.ReadNull();
        var outer = new AsnReader(bits, AsnEncodingRules.DER);
        var numbers = outer.ReadSequence();
        outer.ThrowIfNotEmpty();
        var key = new RsaKey(new RSAParameters { Modulus = Positive(numbers), Exponent = Positive(numbers) });
        numbers.ThrowIfNotEmpty();
        return key;
    }

    /// <summary>As <see cref="PublicKey.RequiredHash"/>, for the padding scheme.</summary>
    public RSASignaturePadding? RequiredPadding { get; init; }

    public ReadOnlySpan<byte> Modulus => _parameters.Modulus;

    public ReadOnlySpan<byte> Exponent => _parameters.Exponent;

    public bool Verify(ReadOnlySpan<byte> data, ReadOnlySpan<byte> signature, HashAlgorithmName hash, RSASignaturePadding padding)
    {
        if ((RequiredPadding ?? padding) != padding || (RequiredHash ?? hash) != hash)
        {
            return false;
        }

        try
        {
            using var key = RSA.Create(_parameters);
            return signature.Length == _parameters.Modulus!.Length && key.VerifyData(data, signature, hash, padding);
        }
        catch (CryptographicException)
        {
            // The parameters do not form a key.
            return false;
        }
    }

    /// <summary>The positive integer without its leading sign byte.</summary>
    private static byte[] Positive(AsnReader numbers) => numbers.ReadIntegerBytes().Span switch
    {
        [0, .. { Length: > 0 } rest] => rest.ToArray(),
        [> 0 and < 0x80, ..] and var whole => whole.ToArray(),
        _ => throw new AsnContentException(),
    };
}

internal sealed class EcKey : PublicKey
{
    private readonly ECParameters _parameters;

    /// <summary>Does not check that the point is on the curve; verification with such a point fails.</summary>
    /// <param name="curve">P-256 or P-384.</param>
    /// <param name="x">Length of the field element: 32 or 48 bytes.</param>
    /// <param name="y">Same length as <paramref name="x"/>.</param>
    public EcKey(ECCurve curve, ReadOnlySpan<byte> x, ReadOnlySpan<byte> y) =>
        _parameters = new ECParameters { Curve = curve, Q = new ECPoint { X = x.ToArray(), Y = y.ToArray() } };

    public bool IsP384 => _parameters.Q.X!.Length == 48;

    /// <param name="curve">Object identifier of a named curve.</param>
    /// <param name="point">Uncompressed point: 4, x, y (SEC 1 section 2.3.3).</param>
    /// <exception cref="AsnContentException">The point is not in uncompressed form.</exception>
    /// <exception cref="AppraisalException">Code <see cref="Codes.Certificate"/>: the curve is not supported.</exception>
    public static EcKey Read(string curve, ReadOnlySpan<byte> point)
    {
        var (named, size) = curve switch
        {
            "1.2.840.10045.3.1.7" => (ECCurve.NamedCurves.nistP256, 32),
            "1.3.132.0.34" => (ECCurve.NamedCurves.nistP384, 48),
            _ => throw new AppraisalException(Codes.Certificate, "The curve of an EC key is neither P-256 nor P-384."),
        };
        return point.Length == 1 + 2 * size && point[0] == 4 ? new EcKey(named, point[1..(1 + size)], point[(1 + size)..]) : throw new AsnContentException();
    }

    /// <param name="point">X and Y, 32 bytes each.</param>
    public static EcKey P256(ReadOnlySpan<byte> point) => new(ECCurve.NamedCurves.nistP256, point[..32], point[32..64]);

    public bool VerifyDer(ReadOnlySpan<byte> data, ReadOnlySpan<byte> signature, HashAlgorithmName hash) =>
        Verify(data, signature, hash, DSASignatureFormat.Rfc3279DerSequence);

    /// <param name="signature">r and s, each as long as the field element.</param>
    public bool VerifyRaw(ReadOnlySpan<byte> data, ReadOnlySpan<byte> signature, HashAlgorithmName hash) =>
        Verify(data, signature, hash, DSASignatureFormat.IeeeP1363FixedFieldConcatenation);

    public bool SameAs(EcKey other) =>
        _parameters.Q.X.AsSpan().SequenceEqual(other._parameters.Q.X) && _parameters.Q.Y.AsSpan().SequenceEqual(other._parameters.Q.Y);

    private bool Verify(ReadOnlySpan<byte> data, ReadOnlySpan<byte> signature, HashAlgorithmName hash, DSASignatureFormat format)
    {
        if ((RequiredHash ?? hash) != hash)
        {
            return false;
        }

        try
        {
            using var key = ECDsa.Create(_parameters);
            return key.VerifyData(data, signature, hash, format);
        }
        catch (CryptographicException)
        {
            // The point is not on the curve.
            return false;
        }
    }
}
