using System.Diagnostics;
using Cube.Attestation;
using Cube.Attestation.Appraisal;
using Cube.Attestation.Atls;
using Cube.Attestation.Azure;
using Cube.Attestation.Certificates;
using Cube.Attestation.Evidence;
using Cube.Attestation.Google;
using Cube.Attestation.Parsing;
using Cube.Attestation.Snp;
using Cube.Attestation.Tdx;
using Cube.Attestation.Tpm;
using Cube.Attestation.Verdicts;
using Cube.Tests.Attestation.Synthetic;
using Cube.Tests.Systems;
using EventLog = Cube.Attestation.Tpm.EventLog;

namespace Cube.Tests.Attestation.Parsing;

/// <summary>Every parser with mutated valid input: it accepts or rejects the input in bounded time and memory, without other exceptions.</summary>
public sealed class FuzzTests
{
    private static readonly TimeSpan _each = TimeSpan.FromSeconds(double.TryParse(Environment.GetEnvironmentVariable("CUBE_FUZZ_SECONDS"), out var seconds) ? seconds : TestLevel.Pick(0.1, 0.5));

    /// <summary>Far above the needs of each parser for these inputs.</summary>
    private const long MaxBytesPerInput = 16 << 20;

    private static readonly Dictionary<string, (Func<byte[]> Seed, Action<byte[]> Parse)> _parsers = new()
    {
        ["SNP report"] = (static () => SyntheticAmd.Shared.Make(new()).Evidence.Report!, static bytes => SnpReport.Parse(bytes)),
        ["certificate"] = (static () => SyntheticAmd.Shared.Make(new()).Evidence.Certificates[0], static bytes => VekExtensions.Of(Certificate.Parse(bytes))),
        ["revocation list"] = (static () => SyntheticAmd.Shared.Crl(revokeAsk: true), static bytes => RevocationList.Parse(bytes)),
        ["certificate table"] = (static () => [.. new Guid("63da758d-e664-4564-adc5-f4b93be8accd").ToByteArray(true), 48, 0, 0, 0, 4, 0, 0, 0, .. new byte[24], 1, 2, 3, 4], static bytes => SnpCertificateTable.Certificates(bytes, false)),
        ["COSE"] = (static () => [0xD2, 0x84, 0x43, 0xA1, 0x01, 0x26, 0xA0, 0x41, 0x7B, 0x41, 0x00], static bytes => UvmEndorsement.Verify(bytes)),
        ["TDX quote"] = (static () => SyntheticIntel.Shared.Make(new() { Version = 5 }).Evidence.Quote!, static bytes => Pem.Certificates(TdxQuote.Parse(bytes).PckChain, 4)),
        ["collateral"] = (static () => TdxCollateralConverter.ToJson(SyntheticIntel.Shared.Make(new()).Evidence.Collateral!), static bytes => TdxCollateral.Parse(bytes)),
        ["TCB info"] = (static () => TdxCollateral.Signed(SyntheticIntel.Shared.Make(new()).Evidence.Collateral!.TcbInfo), static bytes => TcbInfo.Parse(bytes)),
        ["QE identity"] = (static () => TdxCollateral.Signed(SyntheticIntel.Shared.Make(new()).Evidence.Collateral!.QeIdentity), static bytes => QeIdentity.Parse(bytes)),
        ["TPM key"] = (static () => SyntheticTpm.Make(new()).AkPublic!, static bytes => TpmPublic.Parse(bytes)),
        ["TPM quote"] = (static () => SyntheticTpm.Make(new()).TpmQuotes[0].Message, static bytes => new EvidenceAppraiser(TrustAnchors.Vendor, new AppraisalOptions(), SyntheticAmd.Now).Appraise(SyntheticTpm.Make(new() { Signed = _ => bytes }))),
        ["PCRs"] = (static () => SyntheticTpm.Make(new()).Pcrs!, static bytes => PcrValues.Parse(bytes)),
        ["event log"] = (static () => [1, 0, 0, 0, 3, 0, 0, 0, .. new byte[20], 33, 0, 0, 0, .. "Spec ID Event03\0"u8, 0, 0, 0, 0, 0, 2, 0, 2, 1, 0, 0, 0, 0x0C, 0, 48, 0, 0, 1, 0, 0, 0, 4, 0, 0, 0, 1, 0, 0, 0, 0x0C, 0, .. new byte[48], 2, 0, 0, 0, 1, 2],
            static bytes => EventLog.Replay(bytes)),
        ["HCL report"] = (static () => [.. "HCLA"u8, 2, 0, 0, 0, 0xDA, 4, 0, 0, 2, 0, 0, 0, .. new byte[16], .. new byte[1184], 26, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 6, 0, 0, 0, .. """{"a":1"""u8[..6], .. new byte[8]], static bytes => HclReport.Parse(bytes)),
        ["runtime data"] = (static () => [.. """{"keys":[{"kid":"HCLAkPub","kty":"RSA","e":"AQAB","n":"AA"}],"user-data":"00"}"""u8], static bytes => RuntimeData.Parse(bytes)),
        ["MAA keys"] = (static () => SyntheticMaa.Jwks(), static bytes => MaaKeys.Parse(bytes)),
        ["MAA token"] = (static () => System.Text.Encoding.ASCII.GetBytes(SyntheticMaa.Make(new())),
            static bytes => MaaToken.Verify(System.Text.Encoding.Latin1.GetString(bytes), MaaKeys.Parse(SyntheticMaa.Jwks()), new MaaRequirements(SyntheticMaa.Issuer, "sevsnpvm", null, true, null), SyntheticMaa.Now)),
        ["launch endorsement"] = (static () => [0x0A, 4, 0x22, 2, 1, 2, 0x12, 2, 3, 4], static bytes => LaunchEndorsement.Verify(bytes, SyntheticIntel.Shared.Root, SyntheticAmd.Now)),
        ["evidence"] = (static () => EvidenceJson.Write(SyntheticIntel.Shared.Make(new()).Evidence), static bytes => EvidenceJson.Read(bytes)),
        ["aTLS request"] = (static () => new AtlsRequest(new byte[32], [ChannelBindings.Finished], "p").ToFrame()[AtlsFrame.HeaderSize..], static bytes => AtlsRequest.Parse(bytes)),
        ["aTLS answer"] = (static () => new AtlsResponse(ChannelBindings.Finished, SyntheticAmd.Shared.Make(new()).Evidence).ToFrame()[AtlsFrame.HeaderSize..], static bytes => AtlsResponse.Parse(bytes)),
    };

    public static TheoryData<string> Parsers => [.. _parsers.Keys];

    [Theory]
    [MemberData(nameof(Parsers))]
    public void A_parser_accepts_or_rejects_its_input_in_bounded_time_and_memory(string name)
    {
        var (seed, parse) = _parsers[name];
        var good = seed();
        var number = Environment.TickCount;
        var random = new DeterministicBytes(number);
        var until = Stopwatch.StartNew();
        for (var i = 0; until.Elapsed < _each; i++)
        {
            var bent = Bend(good, random);
            var before = GC.GetAllocatedBytesForCurrentThread();
            try
            {
                parse(bent);
            }
            catch (AppraisalException)
            {
                // Expected.
            }
            catch (Exception exception)
            {
                Assert.Fail($"{name}, seed {number}, input {i}: {exception.GetType().Name} {exception.Message} {Convert.ToHexString(bent.AsSpan(0, Math.Min(bent.Length, 400)))}");
            }

            Assert.True(GC.GetAllocatedBytesForCurrentThread() - before < MaxBytesPerInput, $"{name}, seed {number}, input {i}");
        }
    }

    private static byte[] Bend(byte[] good, DeterministicBytes random)
    {
        var bent = good.ToList();
        for (var changes = 1 + random.Below(4); changes > 0 && bent.Count > 0; changes--)
        {
            var at = random.Below(bent.Count);
            switch (random.Below(6))
            {
                case 0: bent[at] ^= (byte)(1 << random.Below(8)); break;
                case 1: bent[at] = (byte)random.Below(256); break;
                case 2: bent.RemoveRange(at, Math.Min(bent.Count - at, 1 + random.Below(8))); break;
                case 3: bent.InsertRange(at, Enumerable.Repeat((byte)random.Below(256), 1 + random.Below(8))); break;
                case 4: bent[at] = 0xFF; break;
                default: bent.RemoveRange(at, bent.Count - at); break;
            }
        }

        return [.. bent];
    }

    /// <summary>The same inputs for the same seed (splitmix64).</summary>
    private sealed class DeterministicBytes(int seed)
    {
        private ulong _state = (ulong)seed;

        public int Below(int maxCount)
        {
            var z = _state += 0x9E3779B97F4A7C15;
            z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9;
            z = (z ^ z >> 27) * 0x94D049BB133111EB;
            return (int)((z ^ z >> 31) % (ulong)maxCount);
        }
    }
}
