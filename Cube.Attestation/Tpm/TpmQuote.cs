using System.Security.Cryptography;
using Cube.Attestation.Certificates;
using Cube.Attestation.Parsing;

namespace Cube.Attestation.Tpm;

/// <summary>
/// TPMS_ATTEST of a quote (TPM 2.0 Library, part 2, section 10.12.8), big-endian.
/// <code>
/// magic u32 ff544347, type u16 8018, qualified signer TPM2B, extra data TPM2B,
/// clock u64, reset count u32, restart count u32, safe u8, firmware u64,
/// count u32 { hash u16, size u8, bitmap }, PCR digest TPM2B; nothing follows
/// </code>
/// </summary>
internal sealed class TpmQuote
{
    private const int MaxBanks = 8;

    private TpmQuote(ReadOnlySpan<byte> message)
    {
        var reader = new ByteReader(message, Codes.TpmQuote);
        AppraisalException.ThrowUnless(reader.U32Big() == 0xFF544347 && reader.U16Big() == 0x8018, Codes.TpmMagic, "The message is not a TPM-generated quote.");
        reader.Tpm2B();
        ExtraData = reader.Tpm2B().ToArray();
        reader.Take(17);
        reader.U64Big();
        var banks = reader.U32Big();
        AppraisalException.ThrowUnless(banks is >= 1 and <= MaxBanks, Codes.TpmQuote, "The quote must select 1 to 8 PCR banks.");
        for (var i = 0; i < banks; i++)
        {
            var bank = TpmAlgorithm.BankName(reader.U16Big()) ?? throw new AppraisalException(Codes.TpmQuote, "The quote selects an unknown PCR bank.");
            var bitmap = reader.Take(reader.U8());
            AppraisalException.ThrowUnless(bitmap.Length <= 4, Codes.TpmQuote, "The quote selects PCRs that do not exist.");
            var selected = new List<int>();
            for (var index = 0; index < bitmap.Length * 8; index++)
            {
                if ((bitmap[index / 8] & 1 << index % 8) != 0)
                {
                    selected.Add(index);
                }
            }

            Selection.Add((bank, selected));
        }

        PcrDigest = reader.Tpm2B().ToArray();
        reader.End();
    }

    public byte[] ExtraData { get; }

    /// <summary>The selected banks in the order of the quote, each with its registers in ascending order.</summary>
    public List<(string Bank, List<int> Registers)> Selection { get; } = [];

    public byte[] PcrDigest { get; }

    /// <summary>Parses the message without verifying the signature.</summary>
    /// <exception cref="AppraisalException">Codes <see cref="Codes.TpmQuote"/> and <see cref="Codes.TpmMagic"/>.</exception>
    public static TpmQuote Parse(ReadOnlySpan<byte> message) => new(message);

    /// <summary>Checks, in this order: signature, structure, nonce, PCR digest.</summary>
    /// <param name="signature">TPMT_SIGNATURE, or the bare RSA signature (PKCS #1, SHA-256) that Azure's tools produce.</param>
    /// <param name="nonce">Expected extraData; null skips the comparison.</param>
    /// <param name="values">Claimed PCR values.</param>
    /// <returns>The values of the PCRs that the quote covers, by bank.</returns>
    /// <exception cref="AppraisalException">One of the codes of vTPM.</exception>
    public static Dictionary<string, SortedDictionary<int, byte[]>> Verify(
        ReadOnlySpan<byte> message, ReadOnlySpan<byte> signature, PublicKey key, byte[]? nonce, PcrValues values)
    {
        var hash = TpmSignature.Verify(key, message, signature);
        var quote = Parse(message);
        AppraisalException.ThrowUnless(nonce is null || CryptographicOperations.FixedTimeEquals(quote.ExtraData, nonce), Codes.TpmNonce, "extraData of the quote differs from the expected nonce.");

        using var digest = IncrementalHash.CreateHash(hash);
        var covered = new Dictionary<string, SortedDictionary<int, byte[]>>(StringComparer.Ordinal);
        foreach (var (bank, registers) in quote.Selection)
        {
            AppraisalException.ThrowUnless(covered.TryAdd(bank, []), Codes.TpmQuote, "The quote selects a PCR bank twice.");
            foreach (var register in registers)
            {
                var value = values.Find(bank, register) ?? throw new AppraisalException(Codes.TpmPcrMissing, $"The value of PCR {register} ({bank}) is missing.");
                digest.AppendData(value);
                covered[bank].Add(register, value);
            }
        }

        AppraisalException.ThrowUnless(digest.GetHashAndReset().AsSpan().SequenceEqual(quote.PcrDigest), Codes.TpmPcrDigest, "The PCR values do not match the digest in the quote.");
        return covered;
    }
}

/// <summary>
/// TPMT_SIGNATURE (TPM 2.0 Library, part 2, section 11.3.4), big-endian: algorithm u16, hash u16, then one TPM2B (RSA) or two (ECDSA).
/// </summary>
internal static class TpmSignature
{
    /// <returns>The hash algorithm of the signature, which is also that of the PCR digest.</returns>
    /// <exception cref="AppraisalException">Codes <see cref="Codes.TpmSignatureFormat"/> and <see cref="Codes.TpmQuoteSignature"/>.</exception>
    public static HashAlgorithmName Verify(PublicKey key, ReadOnlySpan<byte> message, ReadOnlySpan<byte> signature)
    {
        if (key is RsaKey bare && signature.Length == bare.Modulus.Length)
        {
            Require(bare.Verify(message, signature, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1));
            return HashAlgorithmName.SHA256;
        }

        var reader = new ByteReader(signature, Codes.TpmSignatureFormat);
        var algorithm = reader.U16Big();
        var hash = TpmAlgorithm.SignatureHash(reader.U16Big());
        switch (algorithm, key)
        {
            case (TpmAlgorithm.RsaSsa, RsaKey rsa):
                Require(rsa.Verify(message, reader.Tpm2B(), hash, RSASignaturePadding.Pkcs1));
                break;
            case (TpmAlgorithm.RsaPss, RsaKey rsa):
                Require(rsa.Verify(message, reader.Tpm2B(), hash, RSASignaturePadding.Pss));
                break;
            case (TpmAlgorithm.EcDsa, EcKey ec):
                var size = ec.IsP384 ? 48 : 32;
                Span<byte> raw = stackalloc byte[2 * size];
                PadLeft(reader.Tpm2B(), raw[..size]);
                PadLeft(reader.Tpm2B(), raw[size..]);
                Require(ec.VerifyRaw(message, raw, hash));
                break;
            default:
                throw new AppraisalException(Codes.TpmSignatureFormat, "The signature algorithm of the quote does not match its key.");
        }

        reader.End();
        return hash;
    }

    private static void Require(bool good) => AppraisalException.ThrowUnless(good, Codes.TpmQuoteSignature, "The quote is not signed by its attestation key.");

    private static void PadLeft(ReadOnlySpan<byte> number, Span<byte> field)
    {
        AppraisalException.ThrowUnless(number.Length <= field.Length, Codes.TpmSignatureFormat, "An integer of the quote's signature is too long.");
        field.Clear();
        number.CopyTo(field[^number.Length..]);
    }
}
