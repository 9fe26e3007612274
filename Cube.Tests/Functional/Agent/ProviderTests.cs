using System.Buffers.Text;
using System.Diagnostics.Metrics;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Cube.Agent.Evidence;
using Cube.Agent.Evidence.Azure;
using Cube.Agent.Evidence.Linux;
using Cube.Agent.Evidence.Providers;
using Cube.Agent.Evidence.Tpm;
using Cube.Attestation;
using Cube.Attestation.Appraisal;
using Cube.Attestation.Atls;
using Cube.Attestation.Azure;
using Cube.Attestation.Certificates;
using Cube.Attestation.Evidence;
using Cube.Attestation.Verdicts;
using Cube.Tests.Attestation.Synthetic;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace Cube.Tests.Functional.Agent;

/// <summary>Evidence from simulated guests: configfs-tsm as a directory, a software TPM, and hosts over http.</summary>
public sealed class ProviderTests
{
    private static readonly EvidenceRequest _request = new([.. Enumerable.Repeat((byte)0x5A, 64)], SHA256.HashData(new byte[64]));

    [Fact]
    public async Task A_report_from_configfs_tsm_verifies()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "There are no pipes in a file system here.");
        var (good, anchors) = SyntheticAmd.Shared.Make(new());
        using var guest = new FakeGuest("sev_guest", data => SyntheticAmd.Shared.Make(new() { Report = report => data.CopyTo(report, 0x050) }).Evidence.Report!, Table(good.Certificates));
        var evidence = await new ConfigfsTsm(guest.Root).MakeAsync(_request, default);
        Assert.Equal(EvidenceType.SevSnp, evidence.Type);
        var claims = new EvidenceAppraiser(anchors, new AppraisalOptions { ReportData = _request.ReportData }, SyntheticAmd.Now).Appraise(evidence);
        Assert.Equal("Milan", claims.Snp!.Product);
        Assert.Empty(Directory.GetDirectories(guest.Reports));
    }

    [Fact]
    public async Task A_TDX_quote_is_sent_with_the_event_log()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "There are no pipes in a file system here.");
        using var guest = new FakeGuest("tdx_guest", static data => SyntheticIntel.Shared.Make(new() { Body = body => data.CopyTo(body, 520) }).Evidence.Quote!);
        var tables = Directory.CreateDirectory(Path.Combine(guest.Root, "sys/firmware/acpi/tables/data"));
        byte[] log = [1, 0, 0, 0, 3, 0, 0, 0, .. new byte[20], 33, 0, 0, 0, .. "Spec ID Event03\0"u8, 0, 0, 0, 0, 0, 2, 0, 2, 1, 0, 0, 0, 0x0C, 0, 48, 0, 0];
        await File.WriteAllBytesAsync(Path.Combine(tables.FullName, "CCEL"), [.. log, .. Enumerable.Repeat((byte)0xFF, 4096)]);
        var evidence = await new ConfigfsTsm(guest.Root).MakeAsync(_request, default);
        var claims = new EvidenceAppraiser(TrustAnchors.Vendor with { Intel = [SyntheticIntel.Shared.Root] }, new AppraisalOptions { ReportData = _request.ReportData }, SyntheticIntel.Now).Appraise(evidence);
        Assert.True(claims.Tdx!.EventLogReplayed);
    }

    [Fact]
    public async Task A_report_with_a_concurrent_write_is_retried_and_finally_rejected()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "There are no pipes in a file system here.");
        using var guest = new FakeGuest("sev_guest", static _ => SyntheticAmd.Shared.Make(new()).Evidence.Report!) { Generation = "2" };
        await Assert.ThrowsAsync<EvidenceUnavailableException>(async () => await new ConfigfsTsm(guest.Root).MakeAsync(_request, default));
        Assert.True(guest.Made > 3);
        guest.Generation = "1";
        Assert.NotNull((await new ConfigfsTsm(guest.Root).MakeAsync(_request, default)).Report);
    }

    [Fact]
    public async Task Without_a_device_evidence_is_unavailable()
    {
        var nowhere = Directory.CreateTempSubdirectory("cube-none-").FullName;
        Assert.False(new ConfigfsTsm(nowhere).IsAvailable());
        Assert.False(new SevGuestDevice(nowhere).IsAvailable());
        Assert.False(new TdxGuestDevice(nowhere).IsAvailable());
        await Assert.ThrowsAsync<EvidenceUnavailableException>(async () => await new ConfigfsTsm(nowhere).MakeAsync(_request, default));
        await Assert.ThrowsAsync<EvidenceUnavailableException>(async () => await new SevGuestDevice(nowhere).MakeAsync(_request, default));
        await Assert.ThrowsAsync<EvidenceUnavailableException>(async () => await new TdxGuestDevice(nowhere).MakeAsync(_request, default));
        await Assert.ThrowsAsync<EvidenceUnavailableException>(() => new TpmCommands(new TpmTransport(Path.Combine(nowhere, "tpm"))).ReadPublicAsync(1, default));
        await Assert.ThrowsAsync<EvidenceUnavailableException>(() => new TpmCommands(new TpmTransport("tcp://127.0.0.1:1")).ReadPublicAsync(1, default));
        Directory.Delete(nowhere);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_TPM_quote_verifies_for_its_own_nonce_only(bool isEcc)
    {
        Assert.SkipUnless(SoftwareTpm.IsAvailable, "swtpm is not installed.");
        await using var tpm = await SoftwareTpm.StartAsync(isEcc);
        byte[] registers = [0xFF, 0xFF, 0xFF];
        var quote = await tpm.Commands.QuoteAsync(SoftwareTpm.AkHandle, _request.Nonce, registers, default);
        var pcrs = await tpm.Commands.PcrReadAsync(registers, default);
        Assert.Equal(24, pcrs.Count);
        var evidence = new EvidenceDocument
        {
            Type = EvidenceType.Vtpm,
            AkPublic = await tpm.Commands.ReadPublicAsync(SoftwareTpm.AkHandle, default),
            TpmQuotes = [quote],
            Pcrs = JsonSerializer.SerializeToUtf8Bytes(new { sha256 = pcrs.ToDictionary(static pcr => $"{pcr.Key}", static pcr => Convert.ToHexStringLower(pcr.Value)) }),
        };
        var anchors = TrustAnchors.Vendor with { GoogleTpm = [], GoogleTpmIntermediates = [] };
        Assert.Equal(24, new EvidenceAppraiser(anchors, new AppraisalOptions { Nonce = _request.Nonce }, SyntheticAmd.Now).Appraise(evidence).Tpm!.Pcrs["sha256"].Count);
        Assert.Throws<Cube.Attestation.Parsing.AppraisalException>(() => new EvidenceAppraiser(anchors, new AppraisalOptions { Nonce = new byte[32] }, SyntheticAmd.Now).Appraise(evidence));
    }

    [Fact]
    public async Task NV_memory_is_defined_written_and_read_in_chunks()
    {
        Assert.SkipUnless(SoftwareTpm.IsAvailable, "swtpm is not installed.");
        await using var tpm = await SoftwareTpm.StartAsync();
        Assert.Null(await tpm.Commands.NvReadAsync(0x01400002, default));
        var content = RandomNumberGenerator.GetBytes(64);
        await tpm.Commands.NvWriteAsync(0x01400002, content, default);
        Assert.Equal(content, await tpm.Commands.NvReadAsync(0x01400002, default));
        var again = RandomNumberGenerator.GetBytes(64);
        await tpm.Commands.NvWriteAsync(0x01400002, again, default);
        Assert.Equal(again, await tpm.Commands.NvReadAsync(0x01400002, default));
    }

    /// <summary>A simulated Azure machine: attestation key and quotes of a software TPM, the paravisor report in NV memory, host responses over http.</summary>
    [Fact]
    public async Task Evidence_of_an_Azure_machine_verifies()
    {
        Assert.SkipUnless(SoftwareTpm.IsAvailable, "swtpm is not installed.");
        await using var tpm = await SoftwareTpm.StartAsync();
        var key = TpmKey(await tpm.Commands.ReadPublicAsync(SoftwareTpm.AkHandle, default));
        var (snp, anchors) = Hcl(key);
        // NV indices of swtpm hold 2048 bytes, so that fewer zeros follow the runtime data.
        await tpm.Commands.NvWriteAsync(0x01400001, snp.HclReport!, default);
        await using var host = await HostAsync(async context =>
        {
            Assert.Equal("true", context.Request.Headers["Metadata"]);
            await context.Response.WriteAsJsonAsync(new { vcekCert = Pem(snp.Certificates[0]), certificateChain = Pem(snp.Certificates[1]) + Pem(snp.Certificates[2]), tcbm = "0" });
        });
        using var http = new HttpClient(new SocketsHttpHandler());
        var provider = new AzureProvider(tpm.Commands, new ImdsClient(http, new Uri(host.Urls.Single())), TimeProvider.System);
        Assert.True(await provider.IsAvailableAsync(default));
        var evidence = await provider.MakeAsync(_request, default);
        var claims = new EvidenceAppraiser(anchors, new AppraisalOptions { Nonce = _request.Nonce }, SyntheticAmd.Now).Appraise(evidence);
        Assert.Equal(("Milan", true), (claims.Snp!.Product, claims.Azure!.SecureBoot));
        Assert.Equal(24, claims.Tpm!.Pcrs["sha256"].Count);

        await using var broken = await HostAsync(static context => { context.Response.StatusCode = 500; return Task.CompletedTask; });
        await Assert.ThrowsAsync<EvidenceUnavailableException>(async () =>
            await new AzureProvider(tpm.Commands, new ImdsClient(http, new Uri(broken.Urls.Single())), TimeProvider.System).MakeAsync(_request, default));
    }

    [Fact]
    public async Task The_request_for_a_MAA_token_contains_the_binder_that_the_hardware_report_covers()
    {
        JsonElement asked = default;
        await using var instance = await HostAsync(async context =>
        {
            asked = await context.Request.ReadFromJsonAsync<JsonElement>();
            Assert.Equal("/attest/SevSnpVm", context.Request.Path);
            await context.Response.WriteAsJsonAsync(new { token = SyntheticMaa.Make(new() { IsGuest = false, Claims = static claims => claims["x-ms-runtime"] = new System.Text.Json.Nodes.JsonObject { ["user-data"] = Convert.ToHexString(_request.ReportData) } }) });
        });
        using var http = new HttpClient(new SocketsHttpHandler());
        using var guest = new FakeGuest("sev_guest", data => SyntheticAmd.Shared.Make(new() { Report = report => data.CopyTo(report, 0x050) }).Evidence.Report!);
        var evidence = await new MaaProvider(new ConfigfsTsm(guest.Root), http, new Uri(instance.Urls.Single())).MakeAsync(_request, default);
        Assert.Equal(EvidenceType.Maa, evidence.Type);
        // The runtime data sent to Microsoft are those that the report covers.
        var runtime = Base64Url.DecodeFromChars(asked.GetProperty("runtimeData").GetProperty("data").GetString());
        var report = Base64Url.DecodeFromChars(JsonElement.Parse(Base64Url.DecodeFromChars(asked.GetProperty("report").GetString())).GetProperty("SnpReport").GetString());
        Assert.Equal(SHA256.HashData(runtime), report[0x050..0x070]);
        var options = new AppraisalOptions { TokenBinder = _request.ReportData, MaaKeys = MaaKeys.Parse(SyntheticMaa.Jwks()), Maa = new MaaRequirements(SyntheticMaa.Issuer, "sevsnpvm", TimeSpan.FromMinutes(10), true, null) };
        Assert.NotNull(new EvidenceAppraiser(TrustAnchors.Vendor, options, SyntheticMaa.Now).Appraise(evidence).Maa);
    }

    [Fact]
    public async Task The_quote_generation_service_receives_its_own_frame_format()
    {
        var report = RandomNumberGenerator.GetBytes(1024);
        byte[] Answer(uint type, uint error, byte[] quote, int announced) =>
        [
            .. TpmCommands.U32((uint)(24 + quote.Length)), 1, 0, 0, 0, .. BitConverter.GetBytes(type), .. BitConverter.GetBytes(24 + quote.Length), .. BitConverter.GetBytes(error),
            .. BitConverter.GetBytes(0), .. BitConverter.GetBytes(announced), .. quote,
        ];
        using var good = new Pipe(Answer(1, 0, [1, 2, 3], 3));
        Assert.Equal([1, 2, 3], await TdxGuestDevice.QuoteAsync(good, report, default));
        Assert.Equal(report, good.Written[(4 + 24)..]);
        foreach (var bad in (byte[][])[Answer(0, 0, [1], 1), Answer(1, 5, [1], 1), Answer(1, 0, [1], 2), [0xFF, 0xFF, 0xFF, 0xFF], [0, 0, 0, 4, 1, 2, 3, 4]])
        {
            using var pipe = new Pipe(bad);
            await Assert.ThrowsAnyAsync<IOException>(() => TdxGuestDevice.QuoteAsync(pipe, report, default));
        }
    }

    [Fact]
    public async Task The_device_receives_one_request_at_a_time_within_the_rate_limit()
    {
        var provider = new SlowProvider();
        using var services = new ServiceCollection().AddMetrics().BuildServiceProvider();
        using var queue = new EvidenceQueue(provider, Options.Create(new AttestationOptions { Platform = "simulated", PerSecond = 5, Waiting = 3 }), services.GetRequiredService<IMeterFactory>());
        var all = Enumerable.Range(0, 40).Select(async _ =>
        {
            try
            {
                await queue.MakeForConnectionAsync(new byte[64], default);
                return true;
            }
            catch (EvidenceUnavailableException)
            {
                return false;
            }
        });
        var answered = (await Task.WhenAll(all)).Count(static made => made);
        Assert.Equal(1, provider.Most);
        Assert.InRange(answered, 5, 20);
        Assert.True(await Task.Run(async () =>
        {
            await Task.Delay(500);
            return (await queue.MakeForConnectionAsync(new byte[64], default)).Type == "x";
        }));
    }

    [Fact]
    public async Task Evidence_requests_of_callers_do_not_delay_handshakes()
    {
        var provider = new SlowProvider();
        using var services = new ServiceCollection().AddMetrics().BuildServiceProvider();
        using var queue = new EvidenceQueue(provider, Options.Create(new AttestationOptions { Platform = "simulated", PerSecond = 20, Waiting = 16 }), services.GetRequiredService<IMeterFactory>());
        using var stop = new CancellationTokenSource();
        var callers = Enumerable.Range(0, 200).Select(async _ =>
        {
            try
            {
                await queue.MakeForCallerAsync(new EvidenceRequest(new byte[64], new byte[32]), stop.Token);
                return "made";
            }
            catch (EvidenceUnavailableException)
            {
                return "refused";
            }
            catch (OperationCanceledException)
            {
                return "waited";
            }
        }).ToList();
        // As many as the bucket holds without the callers' share: none is rejected.
        for (var i = 0; i < 15; i++)
        {
            Assert.Equal("x", (await queue.MakeForConnectionAsync(new byte[64], default)).Type);
        }

        await stop.CancelAsync();
        var outcomes = await Task.WhenAll(callers);
        Assert.InRange(outcomes.Count(static outcome => outcome == "refused"), 150, 199);
    }

    private sealed class SlowProvider : EvidenceProvider
    {
        private int _now;

        public int Most { get; private set; }

        public override string Type => "x";

        public override async ValueTask<EvidenceDocument> MakeAsync(EvidenceRequest request, CancellationToken ct)
        {
            Most = Math.Max(Most, Interlocked.Increment(ref _now));
            await Task.Delay(2, ct);
            Interlocked.Decrement(ref _now);
            return new EvidenceDocument { Type = "x" };
        }
    }

    private sealed class Pipe(byte[] answer) : MemoryStream
    {
        private readonly MemoryStream _answer = new(answer);

        public byte[] Written => ToArray();

        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) => _answer.ReadAsync(buffer, cancellationToken);
    }

    private static async Task<WebApplication> HostAsync(RequestDelegate answer)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        var host = builder.Build();
        host.Urls.Add("http://127.0.0.1:0");
        host.Run(answer);
        await host.StartAsync();
        return host;
    }

    private static (EvidenceDocument Evidence, TrustAnchors Anchors) Hcl(RSAParameters key)
    {
        var runtime = Encoding.UTF8.GetBytes(
            $$"""{"keys":[{"kid":"HCLAkPub","key_ops":["sign"],"kty":"RSA","e":"AQAB","n":"{{Base64Url.EncodeToString(key.Modulus)}}"}],"vm-configuration":{"secure-boot":true},"user-data":"{{new string('0', 128)}}"}""");
        var covering = new byte[64];
        SHA256.HashData(runtime, covering);
        var (snp, anchors) = SyntheticAmd.Shared.Make(new() { Report = report => covering.CopyTo(report, 0x050) });
        byte[] hcl =
        [
            .. "HCLA"u8, .. BitConverter.GetBytes(2), .. BitConverter.GetBytes(1236 + runtime.Length), .. BitConverter.GetBytes(2), .. new byte[16], .. snp.Report!,
            .. BitConverter.GetBytes(runtime.Length + 20), .. BitConverter.GetBytes(1), .. BitConverter.GetBytes(2), .. BitConverter.GetBytes(1), .. BitConverter.GetBytes(runtime.Length), .. runtime, 0, 0,
        ];
        return (snp with { HclReport = hcl }, anchors);
    }

    private static RSAParameters TpmKey(byte[] area) => new() { Modulus = area[^256..], Exponent = [1, 0, 1] };

    private static string Pem(byte[] der) => PemEncoding.WriteString("CERTIFICATE", der) + "\n";

    private static byte[] Table(IReadOnlyList<byte[]> certificates)
    {
        string[] guids = ["63da758d-e664-4564-adc5-f4b93be8accd", "4ab7b379-bbac-4fe4-a02f-05aef327c782", "c0b406a4-a803-4952-9743-3fb6014cd0ae"];
        var (header, data) = (new List<byte>(), new List<byte>());
        for (var i = 0; i < 3; i++)
        {
            header.AddRange([.. new Guid(guids[i]).ToByteArray(bigEndian: true), .. BitConverter.GetBytes(96 + data.Count), .. BitConverter.GetBytes(certificates[i].Length)]);
            data.AddRange(certificates[i]);
        }

        return [.. header, .. new byte[24], .. data];
    }
}
