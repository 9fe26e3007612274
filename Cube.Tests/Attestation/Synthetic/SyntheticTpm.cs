using System.Security.Cryptography;
using System.Text.Json;
using Cube.Agent.Evidence.Tpm;
using Cube.Attestation.Evidence;

namespace Cube.Tests.Attestation.Synthetic;

/// <summary>A TPM quote with a software key. Each possible defect is one property.</summary>
internal sealed class SyntheticTpm
{
    private static readonly RSA _rsa = RSA.Create(2048);
    private static readonly ECDsa _p256 = ECDsa.Create(ECCurve.NamedCurves.nistP256);
    private static readonly ECDsa _p384 = ECDsa.Create(ECCurve.NamedCurves.nistP384);

    internal sealed record Case
    {
        /// <summary>rsassa, rsapss, p256 or p384.</summary>
        public string Key { get; init; } = "p256";
        public uint Attributes { get; init; } = 0x50072;
        public ushort Hash { get; init; } = 0x000B;
        public byte[] Nonce { get; init; } = [.. Enumerable.Repeat((byte)7, 32)];
        public (ushort Bank, int[] Registers)[] Selection { get; init; } = [(0x000B, [0, 4, 8])];
        public Action<byte[]>? Message { get; init; }
        public Func<byte[], byte[]>? Signed { get; init; }
        public Func<byte[], byte[]>? Signature { get; init; }
        public Func<byte[], byte[]>? Public { get; init; }
        public Func<string, string>? Pcrs { get; init; }
        public bool SignWithAnother { get; init; }
        public byte[]? EventLog { get; init; }
    }

    public static byte[] Value(string bank, int register) => [.. Enumerable.Repeat((byte)(register + 1), bank switch { "sha1" => 20, "sha256" => 32, "sha384" => 48, _ => 64 })];

    public static EvidenceDocument Make(Case wanted)
    {
        var hash = wanted.Hash switch { 0x000C => HashAlgorithmName.SHA384, 0x000D => HashAlgorithmName.SHA512, 0x0004 => HashAlgorithmName.SHA1, _ => HashAlgorithmName.SHA256 };
        using var digest = IncrementalHash.CreateHash(hash);
        List<byte> selection = [.. TpmCommands.U32((uint)wanted.Selection.Length)];
        var pcrs = new Dictionary<string, Dictionary<string, string>>();
        foreach (var (algorithm, registers) in wanted.Selection)
        {
            var bank = algorithm switch { 0x0004 => "sha1", 0x000C => "sha384", 0x000D => "sha512", _ => "sha256" };
            var bitmap = new byte[3];
            pcrs.TryAdd(bank, []);
            foreach (var register in registers)
            {
                bitmap[register / 8] |= (byte)(1 << register % 8);
                digest.AppendData(Value(bank, register));
                pcrs[bank][$"{register}"] = Convert.ToHexStringLower(Value(bank, register));
            }

            selection.AddRange([.. TpmCommands.U16(algorithm), 3, .. bitmap]);
        }

        var pcrDigest = digest.GetHashAndReset();
        byte[] message =
        [
            0xFF, 0x54, 0x43, 0x47, 0x80, 0x18, 0, 2, 0xAA, 0xBB, .. TpmCommands.U16(wanted.Nonce.Length), .. wanted.Nonce,
            .. new byte[17], .. new byte[8], .. selection, .. TpmCommands.U16(pcrDigest.Length), .. pcrDigest,
        ];
        wanted.Message?.Invoke(message);
        var signature = Sign(wanted, message, hash);
        var json = JsonSerializer.Serialize(pcrs);
        var key = Public(wanted);
        return new EvidenceDocument
        {
            Type = EvidenceType.Vtpm,
            AkPublic = wanted.Public?.Invoke(key) ?? key,
            TpmQuotes = [new TpmQuoteParts(wanted.Signed?.Invoke(message) ?? message, wanted.Signature?.Invoke(signature) ?? signature)],
            Pcrs = System.Text.Encoding.UTF8.GetBytes(wanted.Pcrs?.Invoke(json) ?? json),
            EventLog = wanted.EventLog,
        };
    }

    private static byte[] Sign(Case wanted, byte[] message, HashAlgorithmName hash)
    {
        if (wanted.Key.StartsWith("rsa", StringComparison.Ordinal))
        {
            using var other = wanted.SignWithAnother ? RSA.Create(2048) : null;
            var isPss = wanted.Key == "rsapss";
            var signed = (other ?? _rsa).SignData(message, hash, isPss ? RSASignaturePadding.Pss : RSASignaturePadding.Pkcs1);
            return [.. TpmCommands.U16(isPss ? 0x16 : 0x14), .. TpmCommands.U16(wanted.Hash), .. TpmCommands.U16(signed.Length), .. signed];
        }

        using var stranger = wanted.SignWithAnother ? ECDsa.Create(ECCurve.NamedCurves.nistP256) : null;
        var raw = (stranger ?? (wanted.Key == "p384" ? _p384 : _p256)).SignData(message, hash);
        var half = raw.Length / 2;
        // TPMs omit leading zeros of integers.
        var r = raw.AsSpan(0, half).TrimStart((byte)0);
        var s = raw.AsSpan(half).TrimStart((byte)0);
        return [.. TpmCommands.U16(0x18), .. TpmCommands.U16(wanted.Hash), .. TpmCommands.U16(r.Length), .. r, .. TpmCommands.U16(s.Length), .. s];
    }

    private static byte[] Public(Case wanted)
    {
        byte[] start = [.. TpmCommands.U16(wanted.Key.StartsWith("rsa", StringComparison.Ordinal) ? 0x0001 : 0x0023), .. TpmCommands.U16(0x000B), .. TpmCommands.U32(wanted.Attributes), 0, 0, 0, 0x10];
        if (wanted.Key.StartsWith("rsa", StringComparison.Ordinal))
        {
            var modulus = _rsa.ExportParameters(false).Modulus!;
            return [.. start, .. TpmCommands.U16(wanted.Key == "rsapss" ? 0x16 : 0x14), .. TpmCommands.U16(wanted.Hash), .. TpmCommands.U16(2048), 0, 0, 0, 0, .. TpmCommands.U16(256), .. modulus];
        }

        var (key, curve, size) = wanted.Key == "p384" ? (_p384, 4, 48) : (_p256, 3, 32);
        var point = key.ExportParameters(false).Q;
        return [.. start, 0, 0x18, .. TpmCommands.U16(wanted.Hash), .. TpmCommands.U16(curve), 0, 0x10, .. TpmCommands.U16(size), .. point.X!, .. TpmCommands.U16(size), .. point.Y!];
    }
}
