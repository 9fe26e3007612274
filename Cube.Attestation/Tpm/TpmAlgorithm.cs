using System.Security.Cryptography;
using Cube.Attestation.Parsing;

namespace Cube.Attestation.Tpm;

/// <summary>The TPM_ALG_ID values of the TCG algorithm registry that quotes use.</summary>
internal static class TpmAlgorithm
{
    public const ushort Rsa = 0x0001;
    public const ushort Sha1 = 0x0004;
    public const ushort Sha256 = 0x000B;
    public const ushort Sha384 = 0x000C;
    public const ushort Sha512 = 0x000D;
    public const ushort Null = 0x0010;
    public const ushort RsaSsa = 0x0014;
    public const ushort RsaPss = 0x0016;
    public const ushort EcDsa = 0x0018;
    public const ushort Ecc = 0x0023;

    /// <returns>The name of the PCR bank, or null for an algorithm that is not supported.</returns>
    public static string? BankName(ushort algorithm) => algorithm switch
    {
        Sha1 => "sha1",
        Sha256 => "sha256",
        Sha384 => "sha384",
        Sha512 => "sha512",
        _ => null,
    };

    public static int DigestSize(string bank) => bank switch { "sha1" => 20, "sha256" => 32, "sha384" => 48, "sha512" => 64, _ => 0 };

    /// <summary>The hash algorithm of a signature. SHA-1 is rejected, because collisions are practical.</summary>
    /// <exception cref="AppraisalException">Code <see cref="Codes.TpmSignatureFormat"/>.</exception>
    public static HashAlgorithmName SignatureHash(ushort algorithm) => algorithm switch
    {
        Sha256 => HashAlgorithmName.SHA256,
        Sha384 => HashAlgorithmName.SHA384,
        Sha512 => HashAlgorithmName.SHA512,
        _ => throw new AppraisalException(Codes.TpmSignatureFormat, "The hash algorithm of the quote's signature is not allowed."),
    };

    /// <summary>Extends a PCR: H(old ‖ digest).</summary>
    public static byte[] Extend(string bank, ReadOnlySpan<byte> old, ReadOnlySpan<byte> digest)
    {
        Span<byte> both = stackalloc byte[128];
        old.CopyTo(both);
        digest.CopyTo(both[old.Length..]);
        both = both[..(old.Length + digest.Length)];
        return bank switch
        {
#pragma warning disable CA5350 // SHA-1 banks are replayed, but policies cannot refer to them.
            "sha1" => SHA1.HashData(both),
#pragma warning restore CA5350
            "sha256" => SHA256.HashData(both),
            "sha384" => SHA384.HashData(both),
            _ => SHA512.HashData(both),
        };
    }
}
