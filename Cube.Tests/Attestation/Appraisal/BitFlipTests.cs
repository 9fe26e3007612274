using Cube.Attestation.Certificates;
using Cube.Attestation.Cli;
using Cube.Attestation.Tdx;
using Cube.Attestation.Tpm;
using Cube.Tests.Systems;

namespace Cube.Tests.Attestation.Appraisal;

/// <summary>
/// Every byte of a valid vector counts: the verifier rejects a vector with a changed or missing byte, unless the byte is on the list below with the reason. The full level flips
/// one bit of each byte of reports, quotes and TPM messages and cuts them at each length; of certificates, texts and logs it takes 64 and 256. The quick level takes every 24th of
/// these bytes and lengths, and 4 and 8. <c>CUBE_EXHAUSTIVE=1</c> flips all bits of all bytes, which takes hours; ids of vectors, with commas between them, do so for those.
/// </summary>
public sealed class BitFlipTests
{
    /// <summary>Of texts, logs and certificates: bytes that are flipped, each at the price of a verdict, and lengths that they are cut to.</summary>
    private static readonly int _flips = TestLevel.Pick(4, 64);
    private static readonly int _cuts = TestLevel.Pick(8, 256);

    /// <summary>Of binary structures: the distance between bytes that are flipped, and lengths that they are cut to.</summary>
    private static readonly int _step = TestLevel.Pick(48, 1);

    /// <summary>Upper limit of the size of a binary structure.</summary>
    private const int MaxStructured = 1500;
    private static readonly string[] _exhaustive = Environment.GetEnvironmentVariable("CUBE_EXHAUSTIVE")?.Split(',') ?? [];

    /// <summary>Files that are not Evidence: inputs of the Verifier, and unused files.</summary>
    private static readonly string[] _notRead =
    [
        "case.json", "jwks.json", "session.json", "root.pem", "root.der",
        // The same certificates in another format; the vector also contains them as files.
        "host_amd_certificate.thim.json",
        // A copy of the other files.
        "attestation.pb",
        // The address of the log in memory; the log itself is replayed.
        "ccel_acpi_table.bin",
    ];

    /// <summary>Length of the binary structure at the start of a file; 0 for text, logs, certificates and Endorsements.</summary>
    private static int Structured(string file, byte[] good) =>
        Path.GetExtension(file) is ".pem" or ".der" or ".cose" or ".binarypb" or ".json" or ".jwt" ? 0 : Math.Min(good.AsSpan().IndexOf("-----BEGIN"u8) is >= 0 and var chain ? chain : good.Length, MaxStructured);

    public static TheoryData<string> Valid =>
        [.. Vectors.All.Where(static entry => entry.GetProperty("expected").GetProperty("verdict").GetString() == "valid").Select(static entry => entry.GetProperty("id").GetString()!).DefaultIfEmpty("none")];

    [Theory]
    [MemberData(nameof(Valid), DisableDiscoveryEnumeration = true)]
    public void A_changed_or_truncated_file_is_rejected_unless_listed(string id)
    {
        Assert.SkipUnless(Vectors.AreAvailable, Vectors.Absent);
        // Each processor takes a share, with its own copy of the files.
        var shares = Environment.ProcessorCount;
        Parallel.For(0, shares, share => new Attempt(id, share, shares).Run());
    }

    private static bool IsExhaustive(string id) => _exhaustive is ["1"] || _exhaustive.Contains(id);

    /// <summary>One share of a vector's changes.</summary>
    private sealed class Attempt(string id, int share, int shares)
    {
        private readonly System.Text.Json.JsonElement _entry = Vectors.Entry(id);
        private readonly bool _isExhaustive = IsExhaustive(id);
        private readonly List<string> _taken = [];
        private readonly string _copy = Directory.CreateTempSubdirectory("cube-flip-").FullName;

        public void Run()
        {
            try
            {
                foreach (var file in Directory.GetFiles(Vectors.Of(id)))
                {
                    // Not File.Copy, which would keep a read-only mode.
                    File.WriteAllBytes(Path.Combine(_copy, Path.GetFileName(file)), File.ReadAllBytes(file));
                }

                Assert.Equal("valid", VectorRun.Appraise(_copy, _entry, TimeProvider.System).Verdict);
                foreach (var file in Directory.GetFiles(_copy).Where(static file => !_notRead.Contains(Path.GetFileName(file))))
                {
                    Flip(file);
                    Cut(file);
                }

                Assert.True(_taken.Count == 0, string.Join('\n', _taken));
            }
            finally
            {
                Directory.Delete(_copy, recursive: true);
            }
        }

        private void Flip(string file)
        {
            var good = File.ReadAllBytes(file);
            foreach (var i in Mine(Positions(good.Length, Structured(file, good), _flips)))
            {
                for (var bit = _isExhaustive ? 0 : (i + (i / 8)) % 8; bit < 8; bit += _isExhaustive ? 1 : 8)
                {
                    var bad = good.ToArray();
                    bad[i] ^= (byte)(1 << bit);
                    Expect(file, bad, good, $"bit {bit} of byte {i}", i);
                }
            }

            File.WriteAllBytes(file, good);
        }

        private void Cut(string file)
        {
            var good = File.ReadAllBytes(file);
            foreach (var length in Mine(Positions(good.Length, Structured(file, good), _cuts)))
            {
                Expect(file, good[..length], good, $"cut to {length}", length);
            }

            File.WriteAllBytes(file, good);
        }

        /// <summary>All of the first bytes or every n-th, and as many samples of the others; or all. Each vector begins at another byte.</summary>
        private IEnumerable<int> Positions(int length, int first, int samples)
        {
            var (near, far) = _isExhaustive ? (1, 1) : (_step, Math.Max(1, (length - first) / samples));
            for (var i = id.Sum(static letter => letter) % near; i < length; i += i < first ? near : far)
            {
                yield return i;
            }
        }

        private IEnumerable<int> Mine(IEnumerable<int> positions) => positions.Where((_, index) => index % shares == share);

        private void Expect(string file, byte[] bad, byte[] good, string what, int offset)
        {
            File.WriteAllBytes(file, bad);
            var result = VectorRun.Appraise(_copy, _entry, TimeProvider.System);
            if (result.Code == "internal" || (result.Verdict != "invalid" && !Exceptions.Allow(id, Path.GetFileName(file), good, bad, offset)))
            {
                _taken.Add($"{id} {Path.GetFileName(file)}, {what}: {result.Verdict} {result.Code}");
            }
        }
    }

    /// <summary>Allowed changes and their reasons.</summary>
    private static class Exceptions
    {
        public static bool Allow(string id, string file, byte[] good, byte[] bad, int offset) => file switch
        {
            // Transport padding after the declared signature data.
            // White space of the PEM inside.
            "quote.bin" or "td_quote.bin" => offset >= QuoteEnd(good) || (offset >= good.AsSpan().IndexOf("-----BEGIN"u8) && IsSameText(good, bad)),
            // CPUSVN and MAC of a TDREPORT: only the same processor can verify them. The quote is verified instead.
            // The NV index may have fewer zeros after the runtime data.
            // Both supported versions are accepted.
            "hcl_report.bin" => (id.StartsWith("az-tdx", StringComparison.Ordinal) && (offset - 32 is (>= 16 and < 32) or (>= 224 and < 256) || (offset - 32 == 2 && bad.Length == good.Length && bad[offset] <= 1)))
                || (bad.Length < good.Length && bad.Length >= 1236 + BitConverter.ToInt32(good, 1232)),
            // Attributes of a key without a certificate, except the required and forbidden ones; no signature covers them.
            "ak.tpmt_public" => bad.Length == good.Length && offset is >= 4 and < 8,
            // White space of PEM. A truncated chain is completed by the embedded intermediates and roots of AMD.
            "chain.pem" => IsSameText(good, bad) || (bad.Length < good.Length && (bad.Length == 0 || Compact(bad).EndsWith("-----ENDCERTIFICATE-----", StringComparison.Ordinal))),
            // White space, case of hexadecimal digits, and registers that no quote selects.
            "pcrs.json" or "pcrs_sha256.json" => Quoted(id, good).SequenceEqual(Quoted(id, bad)),
            // White space of JSON and of PEM, case of hexadecimal digits.
            "collateral.json" => Parts(good).SequenceEqual(Parts(bad)),
            // The chain of a key certificate without intermediates is not required; its key is compared.
            "ak_cert_nv_padded.der" => Certificate.ParsePadded(good).Spki.Span.SequenceEqual(Certificate.ParsePadded(bad).Spki.Span),
            // Microsoft's time stamp, which is not signed by the endorsement's signer.
            "uvm_reference_info.cose" => bad.Length == good.Length && offset is >= 5075 and < 10302,
            // Event data: only the digests extend the registers, and event data are not used.
            "eventlog.bin" or "ccel.bin" => Registers(good).SequenceEqual(Registers(bad)),
            // White space around the token is trimmed.
            "token.jwt" => System.Text.Encoding.ASCII.GetString(bad).Trim() == System.Text.Encoding.ASCII.GetString(good).Trim(),
            _ => false,
        };

        private static int QuoteEnd(byte[] quote)
        {
            var start = BitConverter.ToUInt16(quote) == 5 ? 54 + BitConverter.ToInt32(quote, 50) : 48 + 584;
            return start + 4 + BitConverter.ToInt32(quote, start);
        }

        /// <summary>The values of the registers that the quotes of the vector select.</summary>
        private static IEnumerable<string> Quoted(string id, byte[] values)
        {
            var registers = PcrValues.Parse(values);
            return from file in Directory.GetFiles(Vectors.Of(id))
                   where Path.GetFileName(file) is "tpm_quote.msg" || Path.GetExtension(file) == ".tpms_attest"
                   from selection in TpmQuote.Parse(File.ReadAllBytes(file)).Selection
                   from register in selection.Registers
                   select Convert.ToHexString(registers.Find(selection.Bank, register)!);
        }

        private static IEnumerable<string> Registers(byte[] log)
        {
            var replayed = EventLog.Replay(log);
            foreach (var bank in (string[])["sha1", "sha256", "sha384"])
            {
                for (var index = 0u; index < 24; index++)
                {
                    yield return Convert.ToHexString(replayed.Find(bank, index) ?? []);
                }
            }
        }

        /// <summary>The content of collateral in a normalized form.</summary>
        private static IEnumerable<string> Parts(byte[] json)
        {
            var parts = TdxCollateral.Parse(json);
            return
            [
                .. new[] { parts.PckCrlIssuerChain, parts.TcbInfoIssuerChain, parts.QeIdentityIssuerChain }.Select(static pem => Compact(System.Text.Encoding.Latin1.GetBytes(pem))),
                .. new[] { parts.RootCaCrl, parts.PckCrl, parts.TcbInfoSignature, parts.QeIdentitySignature }.Select(static bytes => Convert.ToHexString(bytes.Span)),
                parts.TcbInfo, parts.QeIdentity,
            ];
        }

        /// <summary>Equal except for white space.</summary>
        private static bool IsSameText(byte[] good, byte[] bad) => Compact(good) == Compact(bad);

        private static string Compact(byte[] bytes) =>
            string.Concat(System.Text.Encoding.Latin1.GetString(bytes).Where(static c => !char.IsWhiteSpace(c) && c != '\0'));
    }
}
