using System.Buffers.Binary;
using System.Security.Cryptography;
using Cube.Attestation.Certificates;
using Cube.Attestation.Parsing;

namespace Cube.Attestation.Tpm;

/// <summary>
/// TPMT_PUBLIC of an attestation key (TPM 2.0 Library, part 2, section 12.2.4), big-endian.
/// <code>
/// type u16, name algorithm u16, attributes u32, policy TPM2B, symmetric u16 (null), scheme u16 [hash u16],
/// RSA: bits u16, exponent u32 (0 = 65537), modulus TPM2B         ECC: curve u16, KDF u16 [hash u16], x TPM2B, y TPM2B
/// </code>
/// </summary>
internal static class TpmPublic
{
    // TPMA_OBJECT, section 8.3.2
    private const uint FixedTpm = 1 << 1;
    private const uint FixedParent = 1 << 4;
    private const uint SensitiveDataOrigin = 1 << 5;
    private const uint Restricted = 1 << 16;
    private const uint Decrypt = 1 << 17;
    private const uint Sign = 1 << 18;

    /// <summary>
    /// Parses the key and requires the attributes of a restricted signing key created by the TPM. Such a key signs only structures that the TPM generates.
    /// The returned key accepts signatures of its own scheme only.
    /// </summary>
    /// <exception cref="AppraisalException">Codes <see cref="Codes.TpmAkFormat"/> and <see cref="Codes.TpmAkAttributes"/>.</exception>
    public static PublicKey Parse(ReadOnlySpan<byte> bytes)
    {
        var reader = new ByteReader(bytes, Codes.TpmAkFormat);
        var type = reader.U16Big();
        AppraisalException.ThrowUnless(TpmAlgorithm.BankName(reader.U16Big()) is not null, Codes.TpmAkFormat, "The name algorithm of the key is unknown.");
        var attributes = reader.U32Big();
        const uint Required = FixedTpm | FixedParent | SensitiveDataOrigin | Restricted | Sign;
        AppraisalException.ThrowUnless((attributes & Required) == Required && (attributes & Decrypt) == 0, Codes.TpmAkAttributes, "The key is not a restricted signing key that its TPM created.");
        reader.Tpm2B();
        AppraisalException.ThrowUnless(reader.U16Big() == TpmAlgorithm.Null, Codes.TpmAkFormat, "The symmetric algorithm of a signing key must be TPM_ALG_NULL.");
        var scheme = reader.U16Big();
        HashAlgorithmName? hash = null;
        if (scheme != TpmAlgorithm.Null)
        {
            var isKnown = type == TpmAlgorithm.Rsa ? scheme is TpmAlgorithm.RsaSsa or TpmAlgorithm.RsaPss : scheme == TpmAlgorithm.EcDsa;
            var name = reader.U16Big();
            AppraisalException.ThrowUnless(isKnown && TpmAlgorithm.BankName(name) is not null, Codes.TpmAkFormat, "The key's scheme is unknown.");
            hash = TpmAlgorithm.SignatureHash(name);
        }

        PublicKey key = type switch
        {
            TpmAlgorithm.Rsa => Rsa(ref reader, scheme, hash),
            TpmAlgorithm.Ecc => Ecc(ref reader, hash),
            _ => throw new AppraisalException(Codes.TpmAkFormat, "The key is neither RSA nor ECC."),
        };
        reader.End();
        return key;
    }

    private static RsaKey Rsa(ref ByteReader reader, ushort scheme, HashAlgorithmName? hash)
    {
        var bits = reader.U16Big();
        var exponent = reader.U32Big();
        var modulus = reader.Tpm2B().ToArray();
        AppraisalException.ThrowUnless(modulus.Length * 8 == bits, Codes.TpmAkFormat, "The length of the modulus does not match the key size.");
        var bytes = new byte[4];
        BinaryPrimitives.WriteUInt32BigEndian(bytes, exponent == 0 ? 65537 : exponent);
        return new RsaKey(new RSAParameters { Modulus = modulus, Exponent = bytes.AsSpan().TrimStart((byte)0).ToArray() })
        {
            RequiredHash = hash,
            RequiredPadding = scheme switch { TpmAlgorithm.RsaSsa => RSASignaturePadding.Pkcs1, TpmAlgorithm.RsaPss => RSASignaturePadding.Pss, _ => null },
        };
    }

    private static EcKey Ecc(ref ByteReader reader, HashAlgorithmName? hash)
    {
        // TPM_ECC_CURVE
        var (curve, size) = reader.U16Big() switch
        {
            0x0003 => (ECCurve.NamedCurves.nistP256, 32),
            0x0004 => (ECCurve.NamedCurves.nistP384, 48),
            _ => throw new AppraisalException(Codes.TpmAkFormat, "The key's curve is neither P-256 nor P-384."),
        };
        AppraisalException.ThrowUnless(reader.U16Big() == TpmAlgorithm.Null, Codes.TpmAkFormat, "The KDF of a signing key must be TPM_ALG_NULL.");

        var (x, y) = (Field(reader.Tpm2B(), size), Field(reader.Tpm2B(), size));
        try
        {
            using var check = ECDsa.Create(new ECParameters { Curve = curve, Q = new ECPoint { X = x, Y = y } });
            return new EcKey(curve, x, y) { RequiredHash = hash };
        }
        catch (CryptographicException)
        {
            throw new AppraisalException(Codes.TpmAkFormat, "The key is not a point on its curve.");
        }
    }

    private static byte[] Field(ReadOnlySpan<byte> number, int size)
    {
        AppraisalException.ThrowUnless(number.Length <= size, Codes.TpmAkFormat, "A coordinate of the key is too long.");
        var field = new byte[size];
        number.CopyTo(field.AsSpan(size - number.Length));
        return field;
    }
}
