using Cube.Attestation;
using Cube.Attestation.Appraisal;
using Cube.Attestation.Certificates;
using Cube.Attestation.Verdicts;
using Cube.Tests.Attestation.Synthetic;

namespace Cube.Tests.Attestation.Appraisal;

public sealed partial class RejectionTests
{
    private static IEnumerable<(string, string?, Func<string?>)> Tpm()
    {
        var good = new SyntheticTpm.Case();
        (string, string?, SyntheticTpm.Case)[] cases =
        [
            .. ((string[])["rsassa", "rsapss", "p256", "p384"]).Select(key => ($"a quote by {key}", (string?)null, good with { Key = key })),
            .. ((string[])["rsassa", "rsapss", "p256", "p384"]).Select(key => ($"a quote changed after {key}", (string?)Codes.TpmQuoteSignature, good with { Key = key, Signed = static message => With(message, 50, (byte)(message[50] ^ 1)) })),
            .. ((string[])["rsassa", "rsapss", "p256"]).Select(key => ($"a quote by another {key}", (string?)Codes.TpmQuoteSignature, good with { Key = key, SignWithAnother = true })),
            ("SHA-384", null, good with { Hash = 0x000C }), ("SHA-512", null, good with { Hash = 0x000D }),
            ("signed over SHA-1", Codes.TpmSignatureFormat, good with { Key = "rsassa", Hash = 0x0004 }),
            ("two banks", null, good with { Selection = [(0x0004, [0, 1]), (0x000B, [0])] }),
            ("a bank twice", Codes.TpmQuote, good with { Selection = [(0x000B, [0]), (0x000B, [0])] }),
            ("no bank", Codes.TpmQuote, good with { Selection = [] }),
            ("another magic", Codes.TpmMagic, good with { Message = static message => message[0] = 0 }),
            ("another attestation", Codes.TpmMagic, good with { Message = static message => message[5] = 0x17 }),
            ("another nonce", Codes.TpmNonce, good with { Nonce = [1] }),
            ("no nonce", Codes.TpmNonce, good with { Nonce = [] }),
            ("bytes after the quote", Codes.TpmQuoteSignature, good with { Signed = static message => [.. message, 0] }),
            ("a register changed", Codes.TpmPcrDigest, good with { Pcrs = static pcrs => pcrs.Replace("0101", "0102", StringComparison.Ordinal) }),
            ("a register missing", Codes.TpmPcrMissing, good with { Pcrs = static pcrs => pcrs.Replace("\"4\"", "\"5\"", StringComparison.Ordinal) }),
            ("a register without a number", Codes.TpmPcrFormat, good with { Pcrs = static pcrs => pcrs.Replace("\"4\"", "\"four\"", StringComparison.Ordinal) }),
            ("a register that is too short", Codes.TpmPcrFormat, good with { Pcrs = static pcrs => pcrs.Replace("0101", "01", StringComparison.Ordinal) }),
            ("a register twice", Codes.TpmPcrFormat, good with { Pcrs = static pcrs => pcrs.Replace("\"4\"", "\"0\"", StringComparison.Ordinal) }),
            ("registers that are none", Codes.TpmPcrFormat, good with { Pcrs = static _ => "7" }),
            ("an unknown bank", Codes.TpmPcrFormat, good with { Pcrs = static pcrs => pcrs.Replace("sha256", "md5", StringComparison.Ordinal) }),
            ("another kind of signature", Codes.TpmSignatureFormat, good with { Signature = static signature => With(signature, 1, 0x14) }),
            ("bytes after the signature", Codes.TpmSignatureFormat, good with { Signature = static signature => [.. signature, 0] }),
            ("half a signature", Codes.TpmSignatureFormat, good with { Signature = static signature => signature[..10] }),
            ("a number that is too long", Codes.TpmSignatureFormat, good with { Signature = static signature => [.. signature[..4], 0, 33, .. new byte[33], 0, 1, 1] }),
            ("an unrestricted key", Codes.TpmAkAttributes, good with { Attributes = 0x40072 }),
            ("a key that decrypts", Codes.TpmAkAttributes, good with { Attributes = 0x70072 }),
            ("a key that does not sign", Codes.TpmAkAttributes, good with { Attributes = 0x10072 }),
            ("a key that may leave its TPM", Codes.TpmAkAttributes, good with { Attributes = 0x50070 }),
            ("a key that may leave its parent", Codes.TpmAkAttributes, good with { Attributes = 0x50062 }),
            ("a key from outside", Codes.TpmAkAttributes, good with { Attributes = 0x50052 }),
            ("a key beside its curve", Codes.TpmAkFormat, good with { Public = static key => With(key, key.Length - 1, (byte)(key[^1] ^ 1)) }),
            ("half a key", Codes.TpmAkFormat, good with { Public = static key => key[..20] }),
            ("bytes after the key", Codes.TpmAkFormat, good with { Public = static key => [.. key, 0] }),
            ("a key for RSAPSS that signs as RSASSA", Codes.TpmQuoteSignature, good with { Key = "rsassa", Public = static key => With(key, 13, 0x16) }),
            ("a key for RSASSA that signs as RSAPSS", Codes.TpmQuoteSignature, good with { Key = "rsapss", Public = static key => With(key, 13, 0x14) }),
            ("an RSA key for another hash", Codes.TpmQuoteSignature, good with { Key = "rsassa", Public = static key => With(key, 15, 0x0C) }),
            ("a key for another hash", Codes.TpmQuoteSignature, good with { Public = static key => With(key, 15, 0x0C) }),
            ("a symmetric key", Codes.TpmAkFormat, good with { Public = static key => With(key, 1, 0x25) }),
            ("another curve", Codes.TpmAkFormat, good with { Public = static key => With(key, 17, 0x20) }),
            ("an event log that leads nowhere", Codes.EventLogReplay, good with { EventLog = EmptyLog() }),
        ];
        foreach (var (name, expected, wanted) in cases)
        {
            yield return ($"tpm: {name}", expected, () =>
                Appraise(SyntheticTpm.Make(wanted), TrustAnchors.Vendor with { GoogleTpm = [], GoogleTpmIntermediates = [] }, new AppraisalOptions { Nonce = new SyntheticTpm.Case().Nonce }, SyntheticAmd.Now));
        }
    }
}
