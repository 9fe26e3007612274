using System.Formats.Asn1;
using System.Security.Cryptography;
using Cube.Attestation.Parsing;

namespace Cube.Attestation.Certificates;

/// <summary>A key to verify with: RSA of 2048 to 4096 bits, or ECDSA on P-256 or P-384. Its numbers only; a native key lives for one call.</summary>
internal abstract class PublicKey
{
    /// <param name="spki">DER SubjectPublicKeyInfo (RFC 5280 section 4.1).</param>
    /// <exception cref="Refusal">Code <see cref="Codes.Certificate"/>: another kind of key, or no point of its curve.</exception>
    public static PublicKey FromSpki(ReadOnlyMemory<byte> spki)
    {
        try
        {
            var info = new AsnReader(spki, AsnEncodingRules.DER).ReadSequence();
            var algorithm = info.ReadSequence().ReadObjectIdentifier();
            if (algorithm == "1.2.840.10045.2.1")
            {
                using var key = ECDsa.Create();
                key.ImportSubjectPublicKeyInfo(spki.Span, out var read);
                return read == spki.Length ? new EcKey(key.ExportParameters(includePrivateParameters: false)) : throw new CryptographicException();
            }
            else
            {
                using var key = RSA.Create();
                key.ImportSubjectPublicKeyInfo(spki.Span, out var read);
                return read == spki.Length ? new RsaKey(key.ExportParameters(includePrivateParameters: false)) : throw new CryptographicException();
            }
        }
        catch (Exception exception) when (exception is CryptographicException or AsnContentException or PlatformNotSupportedException)
        {
            throw new Refusal(Codes.Certificate, "A public key cannot be read.");
        }
    }
}

internal sealed class RsaKey : PublicKey
{
    private readonly RSAParameters _parameters;

    public RsaKey(RSAParameters parameters)
    {
        Refusal.Unless(parameters.Modulus is { Length: >= 256 and <= 512 } && parameters.Exponent is { Length: >= 1 and <= 4 },
            Codes.Certificate, "An RSA key has fewer than 2048 or more than 4096 bits.");
        _parameters = parameters;
    }

    public ReadOnlySpan<byte> Modulus => _parameters.Modulus;

    public ReadOnlySpan<byte> Exponent => _parameters.Exponent;

    public bool Verify(ReadOnlySpan<byte> data, ReadOnlySpan<byte> signature, HashAlgorithmName hash, RSASignaturePadding padding)
    {
        try
        {
            using var key = RSA.Create(_parameters);
            return signature.Length == _parameters.Modulus!.Length && key.VerifyData(data, signature, hash, padding);
        }
        catch (CryptographicException)
        {
            // Numbers that make no key sign nothing.
            return false;
        }
    }
}

internal sealed class EcKey : PublicKey
{
    private readonly ECParameters _parameters;

    public EcKey(ECParameters parameters)
    {
        Refusal.Unless(parameters.Curve.Oid?.Value is "1.2.840.10045.3.1.7" or "1.3.132.0.34", Codes.Certificate, "An EC key is on another curve than P-256 and P-384.");
        _parameters = parameters;
    }

    public bool IsP384 => _parameters.Curve.Oid.Value == "1.3.132.0.34";

    /// <param name="point">X and Y, 32 bytes each.</param>
    public static EcKey P256(ReadOnlySpan<byte> point) =>
        new(new ECParameters { Curve = ECCurve.NamedCurves.nistP256, Q = new ECPoint { X = point[..32].ToArray(), Y = point[32..64].ToArray() } });

    public bool VerifyDer(ReadOnlySpan<byte> data, ReadOnlySpan<byte> signature, HashAlgorithmName hash) =>
        Verify(data, signature, hash, DSASignatureFormat.Rfc3279DerSequence);

    /// <param name="signature">r and s, as long as the field each.</param>
    public bool VerifyRaw(ReadOnlySpan<byte> data, ReadOnlySpan<byte> signature, HashAlgorithmName hash) =>
        Verify(data, signature, hash, DSASignatureFormat.IeeeP1363FixedFieldConcatenation);

    public bool SameAs(EcKey other) =>
        _parameters.Q.X.AsSpan().SequenceEqual(other._parameters.Q.X) && _parameters.Q.Y.AsSpan().SequenceEqual(other._parameters.Q.Y);

    private bool Verify(ReadOnlySpan<byte> data, ReadOnlySpan<byte> signature, HashAlgorithmName hash, DSASignatureFormat format)
    {
        try
        {
            using var key = ECDsa.Create(_parameters);
            return key.VerifyData(data, signature, hash, format);
        }
        catch (CryptographicException)
        {
            // A point beside its curve signs nothing.
            return false;
        }
    }
}
