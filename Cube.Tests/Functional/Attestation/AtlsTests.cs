using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Authentication;
using System.Security.Cryptography;
using System.Text;
using Cube.Attestation;
using Cube.Attestation.Appraisal;
using Cube.Attestation.Atls;
using Cube.Attestation.Evidence;
using Cube.Attestation.Policy;
using Cube.Attestation.Simulated;
using Cube.Attestation.Verdicts;
using Cube.Http2;
using Cube.Tests.Attestation.Synthetic;
using Cube.Tests.Systems;
using Microsoft.Extensions.Time.Testing;

namespace Cube.Tests.Functional.Attestation;

/// <summary>Attested TLS over real sockets, and attacks against it.</summary>
public sealed partial class AtlsTests
{
    private const string Canary = "the canary prompt";
    private static readonly FakeTimeProvider _clock = new(SyntheticAmd.Now);

    [Fact]
    public async Task The_proxy_sends_prompts_to_a_verified_machine_and_requests_evidence_once()
    {
        await using var machine = await TestAttester.StartAsync();
        using var channel = await TestAttester.Dialer(_clock).OpenAsync(machine.Address, TestAttester.Policies, default);
        Assert.Equal(Outcome.Valid, channel.Verdict.Outcome);
        Assert.Equal((Binding.Connection, ChannelBindings.Finished), (channel.Verdict.Binding, channel.Verdict.ChannelBinding));
        await Parallel.ForEachAsync(Enumerable.Range(0, 50), async (_, _) => Assert.Equal("firstlast", await SendAsync(channel)));
        Assert.Equal(1, machine.Made);
        Assert.Equal(50, machine.Bodies.Count);
    }

    [Theory]
    [InlineData("another binder", Codes.ReportData)]
    [InlineData("evidence of before", Codes.ReportData)]
    [InlineData("another measurement", "policy-snp-identity")]
    [InlineData("debug", Codes.Debug)]
    [InlineData("forged", Codes.ReportSignature)]
    [InlineData("simulated", Codes.SimulatedNotAllowed)]
    [InlineData("a TPM only", "policy-types")]
    [InlineData("nothing", Codes.EvidencePart)]
    public async Task Invalid_evidence_permits_no_connection(string defect, string code)
    {
        await using var machine = await TestAttester.StartAsync();
        ReadOnlyMemory<byte>? first = null;
        machine.Evidence = binder => defect switch
        {
            "another binder" => TestAttester.Good(new byte[64]),
            "evidence of before" => TestAttester.Good(first ??= RandomNumberGenerator.GetBytes(64)),
            "another measurement" => Make(binder, static report => report[0x090] ^= 1),
            "debug" => Make(binder, static report => report[0x00A] |= 8),
            "forged" => TestAttester.Good(binder) is var good ? good with { Report = Flip(good.Report!) } : good,
            "simulated" => SimulatedEvidence.Make(binder.Span, _clock.GetUtcNow()),
            "a TPM only" => SyntheticTpm.Make(new() { Nonce = SHA256.HashData(binder.Span) }),
            _ => new EvidenceDocument { Type = EvidenceType.SevSnp },
        };
        var refused = await Assert.ThrowsAsync<AttestationException>(() => TestAttester.Dialer(_clock).OpenAsync(machine.Address, TestAttester.Policies, default));
        Assert.Equal(code, refused.Code);
        Assert.Empty(machine.Bodies);
    }

    [Fact]
    public async Task A_missing_or_empty_policy_permits_no_connection()
    {
        await using var machine = await TestAttester.StartAsync();
        var dialer = TestAttester.Dialer(_clock);
        Assert.Equal(Codes.PolicyMissing, (await Assert.ThrowsAsync<AttestationException>(() => dialer.OpenAsync(machine.Address, [], default))).Code);
        NamedPolicy empty = new("platform", 1, new AttestationPolicy());
        Assert.Equal(Codes.PolicyEmpty, (await Assert.ThrowsAsync<AttestationException>(() => dialer.OpenAsync(machine.Address, [empty], default))).Code);
        // The platform policy applies in addition to the domain policy.
        Assert.Equal(Codes.PolicyEmpty, (await Assert.ThrowsAsync<AttestationException>(() => dialer.OpenAsync(machine.Address, [empty, TestAttester.Policies[0]], default))).Code);
        NamedPolicy stricter = new("domain", 1, TestAttester.Policy("cd"));
        Assert.Equal("policy-snp-identity", (await Assert.ThrowsAsync<AttestationException>(() => dialer.OpenAsync(machine.Address, [TestAttester.Policies[0], stricter], default))).Code);
        Assert.Equal(Codes.AtlsNotTls, (await Assert.ThrowsAsync<AttestationException>(() => dialer.OpenAsync(new Uri($"http://127.0.0.1:{machine.Address.Port}"), TestAttester.Policies, default))).Code);
        Assert.Empty(machine.Bodies);
    }

    /// <summary>
    /// The attack of CVE-2026-33697: an attacker with the machine's TLS key terminates TLS on both sides and relays the
    /// exchange. Key, certificate and nonce are authentic; only the connection differs.
    /// </summary>
    [Fact]
    public async Task A_relay_with_the_stolen_TLS_key_is_rejected()
    {
        await using var machine = await TestAttester.StartAsync();
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        var seen = new MemoryStream();
        var relay = RelayAsync(listener, machine, seen);
        var address = new Uri($"https://127.0.0.1:{((IPEndPoint)listener.LocalEndpoint).Port}");
        var refused = await Assert.ThrowsAsync<AttestationException>(() => TestAttester.Dialer(_clock).OpenAsync(address, TestAttester.Policies, default));
        Assert.Equal(Codes.ReportData, refused.Code);
        await relay;
        // The exchange completed; the Verifier rejected the binding.
        Assert.Equal(1, machine.Made);
        Assert.DoesNotContain(Canary, Encoding.UTF8.GetString(seen.ToArray()), StringComparison.Ordinal);
        Assert.Empty(machine.Bodies);
    }

    [Fact]
    public async Task Both_ends_compute_the_same_channel_binding_and_each_connection_has_its_own()
    {
        var certificate = TestAttester.MakeCertificate();
        var seen = new HashSet<string>();
        for (var i = 0; i < 3; i++)
        {
            var (client, server) = await HandshakeAsync(certificate);
            Assert.Equal(ChannelBindings.GetFinished(client), ChannelBindings.GetFinished(server));
            Assert.True(seen.Add(Convert.ToHexString(ChannelBindings.GetFinished(client)!)));
            await client.DisposeAsync();
            await server.DisposeAsync();
        }
    }

    [Fact]
    public async Task The_server_rejects_session_resumption_and_each_connection_makes_a_full_handshake()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "Only OpenSSL is asked here whether a session was resumed.");
        await using var machine = await TestAttester.StartAsync();
        var host = machine.Address;
        for (var i = 0; i < 3; i++)
        {
            using var tcp = new TcpClient();
            await tcp.ConnectAsync(host.Host, host.Port);
            await using var tls = new SslStream(tcp.GetStream());
            await tls.AuthenticateAsClientAsync(new SslClientAuthenticationOptions
            {
                TargetHost = "machine", EnabledSslProtocols = SslProtocols.Tls13, AllowTlsResume = true, RemoteCertificateValidationCallback = static (_, certificate, _, _) => certificate is not null,
            });
            // A ticket would precede the first bytes of the response; a resumed session has no certificate message.
            await tls.WriteAsync("GET /alive HTTP/1.1\r\nHost: x\r\n\r\n"u8.ToArray());
            Assert.True(await tls.ReadAsync(new byte[4096]) > 0);
            Assert.NotNull(tls.RemoteCertificate);
            Assert.False(IsResumed(tls));
        }
    }

    [Theory]
    [InlineData(SslProtocols.Tls12)]
    public async Task The_server_rejects_TLS_versions_below_1_3(SslProtocols protocol)
    {
        await using var machine = await TestAttester.StartAsync();
        using var tcp = new TcpClient();
        await tcp.ConnectAsync(machine.Address.Host, machine.Address.Port);
        await using var tls = new SslStream(tcp.GetStream());
        await Assert.ThrowsAnyAsync<Exception>(() => tls.AuthenticateAsClientAsync(new SslClientAuthenticationOptions { TargetHost = "x", EnabledSslProtocols = protocol, RemoteCertificateValidationCallback = static (_, certificate, _, _) => certificate is not null }));
    }

    /// <summary>Malformed frames: the machine closes the connection and serves the next one.</summary>
    [Theory]
    [InlineData("01000000027b7d", Codes.AtlsVersion)]
    [InlineData("0100000001ff", Codes.AtlsFrame)]
    [InlineData("01ffffffff", Codes.AtlsFrame)]
    [InlineData("0100000000", Codes.AtlsFrame)]
    [InlineData("""{"v":1,"role":"client","nonce":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=","cb_types":["tls-unique-finished"],"policy_id":"x"}""", Codes.AtlsFrame)]
    [InlineData("""{"v":2,"role":"server","nonce":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=","cb_types":["tls-unique-finished"],"policy_id":"x"}""", Codes.AtlsVersion)]
    [InlineData("""{"v":1,"role":"server","nonce":"AAAA","cb_types":["tls-unique-finished"],"policy_id":"x"}""", Codes.AtlsFrame)]
    [InlineData("""{"v":1,"role":"server","nonce":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=","cb_types":[],"policy_id":"x"}""", Codes.AtlsFrame)]
    [InlineData("""{"v":1,"role":"server","nonce":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=","cb_types":["none-simulated"],"policy_id":"x"}""", Codes.AtlsChannelBinding)]
    [InlineData("""{"v":1,"role":"server","nonce":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=","cb_types":["none"],"policy_id":"x"}""", Codes.AtlsChannelBinding)]
    public async Task A_malformed_request_for_evidence_returns_an_error_and_no_evidence(string frame, string code)
    {
        await using var machine = await TestAttester.StartAsync();
        using var tcp = new TcpClient();
        await tcp.ConnectAsync(machine.Address.Host, machine.Address.Port);
        await using var tls = new SslStream(tcp.GetStream());
        await tls.AuthenticateAsClientAsync(new SslClientAuthenticationOptions { TargetHost = "x", RemoteCertificateValidationCallback = static (_, certificate, _, _) => certificate is not null });
        await tls.WriteAsync(frame[0] == '{' ? AtlsFrame.Make(AtlsFrame.Request, Encoding.UTF8.GetBytes(frame)) : Convert.FromHexString(frame));
        using var answer = new MemoryStream();
        await tls.CopyToAsync(answer).WaitAsync(TimeSpan.FromSeconds(5));
        Assert.Contains(code, Encoding.UTF8.GetString(answer.ToArray()), StringComparison.Ordinal);
        Assert.Equal(0, machine.Made);
        using var channel = await TestAttester.Dialer(_clock).OpenAsync(machine.Address, TestAttester.Policies, default);
    }

    /// <summary>A server with ordinary HTTPS receives no byte of a request, even with a valid certificate.</summary>
    [Fact]
    public async Task A_server_without_attested_TLS_receives_only_the_request_for_evidence()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        var received = new MemoryStream();
        var serving = Task.Run(async () =>
        {
            using var tcp = await listener.AcceptTcpClientAsync();
            await using var tls = new SslStream(tcp.GetStream());
            await tls.AuthenticateAsServerAsync(new SslServerAuthenticationOptions { ServerCertificate = TestAttester.MakeCertificate(), ApplicationProtocols = [SslApplicationProtocol.Http2] });
            var buffer = new byte[4096];
            var read = await tls.ReadAsync(buffer);
            received.Write(buffer, 0, read);
            await tls.WriteAsync("HTTP/1.1 400 Bad Request\r\n\r\n"u8.ToArray());
        });
        var address = new Uri($"https://127.0.0.1:{((IPEndPoint)listener.LocalEndpoint).Port}");
        var refused = await Assert.ThrowsAsync<AttestationException>(() => TestAttester.Dialer(_clock).OpenAsync(address, TestAttester.Policies, default));
        Assert.Equal(Codes.AtlsFrame, refused.Code);
        await serving;
        Assert.Equal(AtlsFrame.Request, received.ToArray()[0]);
        Assert.DoesNotContain("alive", Encoding.UTF8.GetString(received.ToArray()), StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_exchange_times_out_without_evidence()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        var silent = new TaskCompletionSource();
        var serving = Task.Run(async () =>
        {
            using var tcp = await listener.AcceptTcpClientAsync();
            await using var tls = new SslStream(tcp.GetStream());
            await tls.AuthenticateAsServerAsync(new SslServerAuthenticationOptions { ServerCertificate = TestAttester.MakeCertificate(), ApplicationProtocols = [SslApplicationProtocol.Http2] });
            await silent.Task;
        });
        var refused = await Assert.ThrowsAsync<AttestationException>(() =>
            TestAttester.Dialer(_clock).OpenAsync(new Uri($"https://127.0.0.1:{((IPEndPoint)listener.LocalEndpoint).Port}"), TestAttester.Policies, default));
        Assert.Equal(Codes.AtlsTimeout, refused.Code);
        silent.SetResult();
        await serving;
    }

    [Fact]
    public async Task An_aborted_channel_sends_no_further_byte_and_ends_running_requests()
    {
        await using var machine = await TestAttester.StartAsync();
        machine.Hold = new TaskCompletionSource();
        using var channel = await TestAttester.Dialer(_clock).OpenAsync(machine.Address, TestAttester.Policies, default);
        using var running = await channel.SendAsync(Request(channel), default);
        await using var body = running.AsStream();
        Assert.Equal("first", Encoding.UTF8.GetString(await ReadAsync(body, 5)));
        channel.Abort(Codes.CertRevoked, "Revoked.");
        var lost = await Assert.ThrowsAnyAsync<Exception>(async () => await ReadAsync(body, 4));
        Assert.Equal(Codes.CertRevoked, AttestationException.Find(lost)?.Code);
        Assert.False(channel.AcceptsRequests);
        var before = machine.Bodies.Count;
        await Assert.ThrowsAnyAsync<Exception>(async () => await SendAsync(channel));
        Assert.Equal(before, machine.Bodies.Count);
    }

    [Fact]
    public async Task A_verdict_expires_with_its_lease_or_with_the_collateral_behind_it()
    {
        var clock = new FakeTimeProvider(SyntheticAmd.Now);
        await using var machine = await TestAttester.StartAsync();
        var dialer = TestAttester.Dialer(clock);
        using var channel = await dialer.OpenAsync(machine.Address, TestAttester.Policies, default);
        Assert.Equal(clock.GetUtcNow().AddSeconds(600), channel.Verdict.ExpiresAt);
        clock.Advance(TimeSpan.FromSeconds(599));
        Assert.True(channel.AcceptsRequests);
        clock.Advance(TimeSpan.FromSeconds(1));
        Assert.False(channel.AcceptsRequests);

        // A new verdict for the same key extends running streams; a verdict for another key does not.
        using var fresh = await dialer.OpenAsync(machine.Address, TestAttester.Policies, default);
        Assert.True(channel.TryExtend(fresh));
        Assert.Equal(fresh.Verdict.ExpiresAt, channel.Until);
        Assert.False(channel.AcceptsRequests);
        await using var other = await TestAttester.StartAsync();
        using var stranger = await dialer.OpenAsync(other.Address, TestAttester.Policies, default);
        Assert.False(channel.TryExtend(stranger));

        machine.Evidence = static binder => SyntheticAmd.Shared.Make(new() { LeafTo = SyntheticAmd.Now.AddSeconds(700), Report = report => binder.CopyTo(report.AsMemory(0x050)) }).Evidence;
        using var shorter = await dialer.OpenAsync(machine.Address, TestAttester.Policies, default);
        Assert.Equal(SyntheticAmd.Now.AddSeconds(700), shorter.Verdict.ExpiresAt);
    }

    private static async Task RelayAsync(TcpListener listener, TestAttester machine, MemoryStream seen)
    {
        using var victim = await listener.AcceptTcpClientAsync();
        await using var outer = new SslStream(victim.GetStream());
        await outer.AuthenticateAsServerAsync(new SslServerAuthenticationOptions { ServerCertificate = machine.Certificate, EnabledSslProtocols = SslProtocols.Tls13, ApplicationProtocols = [SslApplicationProtocol.Http2] });
        using var tcp = new TcpClient();
        await tcp.ConnectAsync(machine.Address.Host, machine.Address.Port);
        await using var inner = new SslStream(tcp.GetStream());
        await inner.AuthenticateAsClientAsync(new SslClientAuthenticationOptions { TargetHost = "machine", ApplicationProtocols = [SslApplicationProtocol.Http2], RemoteCertificateValidationCallback = static (_, certificate, _, _) => certificate is not null });
        var back = inner.CopyToAsync(outer);
        var buffer = new byte[16 * 1024];
        try
        {
            while (await outer.ReadAsync(buffer) is > 0 and var read)
            {
                seen.Write(buffer, 0, read);
                await inner.WriteAsync(buffer.AsMemory(0, read));
            }
        }
        catch (IOException)
        {
            // The client disconnected.
        }
    }

    private static async Task<(SslStream Client, SslStream Server)> HandshakeAsync(System.Security.Cryptography.X509Certificates.X509Certificate2 certificate)
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        var connecting = new TcpClient();
        await connecting.ConnectAsync(IPAddress.Loopback, ((IPEndPoint)listener.LocalEndpoint).Port);
        var client = new SslStream(connecting.GetStream());
        var server = new SslStream((await listener.AcceptTcpClientAsync()).GetStream());
        var serving = server.AuthenticateAsServerAsync(new SslServerAuthenticationOptions { ServerCertificate = certificate, EnabledSslProtocols = SslProtocols.Tls13, AllowTlsResume = false });
        await client.AuthenticateAsClientAsync(new SslClientAuthenticationOptions { TargetHost = "x", EnabledSslProtocols = SslProtocols.Tls13, AllowTlsResume = false, RemoteCertificateValidationCallback = static (_, certificate, _, _) => certificate is not null });
        await serving;
        return (client, server);
    }

    /// <summary>Reads the state from the TLS library, because .NET has no public API. If the internal handle moves, the test fails.</summary>
    private static bool IsResumed(SslStream tls)
    {
        const System.Reflection.BindingFlags Any = System.Reflection.BindingFlags.NonPublic | System.Reflection.BindingFlags.Public | System.Reflection.BindingFlags.Instance;
        var context = typeof(SslStream).GetField("_securityContext", Any)?.GetValue(tls);
        var handle = context?.GetType().Name == "SafeSslHandle" ? context : context?.GetType().GetProperty("SslContext", Any)?.GetValue(context) ?? context;
        var ssl = Assert.IsAssignableFrom<System.Runtime.InteropServices.SafeHandle>(handle);
        Assert.False(ssl.IsInvalid);
        return IsSessionReused(ssl.DangerousGetHandle()) == 1;
    }

    [System.Runtime.InteropServices.LibraryImport("libssl.so.3", EntryPoint = "SSL_session_reused")]
    private static partial int IsSessionReused(nint ssl);

    private static EvidenceDocument Make(ReadOnlyMemory<byte> binder, Action<byte[]> change) => SyntheticAmd.Shared.Make(new()
    {
        Report = report =>
        {
            binder.CopyTo(report.AsMemory(0x050));
            change(report);
        },
    }).Evidence;

    private static byte[] Flip(byte[] report)
    {
        report[0x2A0] ^= 1;
        return report;
    }

    private static Http2Request Request(AttestedChannel channel) =>
        new() { Method = "POST", Authority = channel.Address.Authority, Path = "/", ContentType = "text/plain", Body = Encoding.UTF8.GetBytes(Canary) };

    private static async Task<string> SendAsync(AttestedChannel channel)
    {
        using var response = await channel.SendAsync(Request(channel), default);
        using var reader = new StreamReader(response.AsStream());
        return await reader.ReadToEndAsync();
    }

    private static async Task<byte[]> ReadAsync(Stream stream, int count)
    {
        var buffer = new byte[count];
        await stream.ReadExactlyAsync(buffer);
        return buffer;
    }
}
