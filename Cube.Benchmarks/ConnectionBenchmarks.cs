using System.Net;
using System.Net.Security;
using System.Security.Authentication;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using BenchmarkDotNet.Attributes;
using Cube.Attestation;
using Cube.Attestation.Appraisal;
using Cube.Attestation.Atls;
using Cube.Attestation.Policy;
using Cube.Attestation.Simulated;
using Cube.Attestation.Verdicts;
using Cube.Http2;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace Cube.Benchmarks;

/// <summary>What attested TLS costs beside plain TLS of the same server: setting up a connection, and a request on one that stands.</summary>
[MemoryDiagnoser]
public class ConnectionBenchmarks
{
    private static readonly IReadOnlyList<NamedPolicy> _policies = [new("platform", 1, PolicyJson.Parse("""{"types":["simulated"]}"""u8, allowSimulated: true))];
    private WebApplication _server = null!;
    private Uri _address = null!;
    private AttestedChannelFactory _dialer = null!;
    private AttestedChannel _attested = null!;
    private HttpMessageInvoker _plain = null!;
    private readonly byte[] _buffer = new byte[4096];

    [GlobalSetup]
    public async Task StartAsync()
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var certificate = SslStreamCertificateContext.Create(
            new CertificateRequest("CN=bench", key, HashAlgorithmName.SHA256).CreateSelfSigned(DateTimeOffset.UnixEpoch.AddYears(50), DateTimeOffset.UnixEpoch.AddYears(90)), null, offline: true);
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, 0, listen => listen.UseAttestedTls(
            () => certificate, static (binder, _) => ValueTask.FromResult(SimulatedEvidence.Make(binder.Span, TimeProvider.System.GetUtcNow())), allowUnbound: false)));
        _server = builder.Build();
        _server.MapGet("/alive", static () => "alive");
        await _server.StartAsync();
        _address = new Uri(_server.Urls.Single().Replace("http://", "https://", StringComparison.Ordinal));
        _dialer = new AttestedChannelFactory(new EvidenceVerifier(new VerifierSettings { AllowSimulated = true }), static (evidence, _) => ValueTask.FromResult(evidence), allowUnbound: false, TimeProvider.System);
        _attested = await _dialer.OpenAsync(_address, _policies, default);
        _plain = Plain();
        await PlainRequest();
    }

    [Benchmark]
    public async Task AttestedSetUp() => (await _dialer.OpenAsync(_address, _policies, default)).Dispose();

    [Benchmark]
    public async Task PlainSetUp()
    {
        using var invoker = Plain();
        await SendAsync(invoker);
    }

    [Benchmark]
    public async Task AttestedRequest()
    {
        using var response = await _attested.SendAsync(new Http2Request { Method = "GET", Authority = _address.Authority, Path = "/alive" }, default);
        while (await response.ReadAsync(_buffer) > 0)
        {
            // The body is discarded.
        }
    }

    [Benchmark]
    public Task PlainRequest() => SendAsync(_plain);

    [GlobalCleanup]
    public async Task StopAsync()
    {
        _attested.Dispose();
        _plain.Dispose();
        await _server.DisposeAsync();
    }

    private async Task SendAsync(HttpMessageInvoker invoker)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, new Uri(_address, "/alive")) { Version = HttpVersion.Version20, VersionPolicy = HttpVersionPolicy.RequestVersionExact };
        using var response = await invoker.SendAsync(request, default);
        await response.Content.ReadAsByteArrayAsync();
    }

    private static HttpMessageInvoker Plain() => new(new SocketsHttpHandler
    {
        UseProxy = false,
        SslOptions = new SslClientAuthenticationOptions { EnabledSslProtocols = SslProtocols.Tls13, AllowTlsResume = false, RemoteCertificateValidationCallback = static (_, certificate, _, _) => certificate is not null },
    });
}
