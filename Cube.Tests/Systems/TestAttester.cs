using System.Collections.Concurrent;
using System.Net;
using System.Net.Security;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Cube.Attestation;
using Cube.Attestation.Appraisal;
using Cube.Attestation.Atls;
using Cube.Attestation.Evidence;
using Cube.Attestation.Policy;
using Cube.Attestation.Verdicts;
using Cube.Tests.Attestation.Synthetic;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace Cube.Tests.Systems;

/// <summary>An Attester with attested TLS and synthetic AMD hardware. It records every byte of every request body.</summary>
internal sealed class TestAttester : IAsyncDisposable
{
    private readonly WebApplication _app;
    private readonly ConcurrentQueue<string> _bodies = [];

    private TestAttester(WebApplication app, X509Certificate2 certificate) => (_app, Certificate) = (app, certificate);

    public X509Certificate2 Certificate { get; }

    public Uri Address { get; private set; } = null!;

    public IReadOnlyCollection<string> Bodies => _bodies;

    /// <summary>How often Evidence was generated.</summary>
    public int Made { get; private set; }

    /// <summary>Changes valid Evidence before it is sent.</summary>
    public Func<ReadOnlyMemory<byte>, EvidenceDocument>? Evidence { get; set; }

    public TaskCompletionSource? Hold { get; set; }

    public static async Task<TestAttester> StartAsync(X509Certificate2? certificate = null, bool allowUnbound = false)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        TestAttester? machine = null;
        certificate ??= MakeCertificate();
        var context = SslStreamCertificateContext.Create(certificate, null, offline: true);
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, 0, listen => listen.UseAttestedTls(
            () => context,
            (binder, _) =>
            {
                machine!.Made++;
                return ValueTask.FromResult(machine.Evidence?.Invoke(binder) ?? Good(binder));
            },
            allowUnbound)));
        var app = builder.Build();
        machine = new TestAttester(app, certificate);
        app.MapGet("/alive", static () => "alive");
        app.MapPost("/", async (HttpContext http) =>
        {
            using var reader = new StreamReader(http.Request.Body);
            machine._bodies.Enqueue(await reader.ReadToEndAsync());
            await http.Response.WriteAsync("first");
            await http.Response.Body.FlushAsync();
            if (machine.Hold is { } hold)
            {
                await hold.Task;
            }

            await http.Response.WriteAsync("last");
        });
        await app.StartAsync();
        machine.Address = new Uri(app.Urls.Single().Replace("http://", "https://", StringComparison.Ordinal));
        return machine;
    }

    /// <summary>Valid Evidence of the synthetic hardware for a binder.</summary>
    public static EvidenceDocument Good(ReadOnlyMemory<byte> binder) =>
        SyntheticAmd.Shared.Make(new SyntheticAmd.Case { Report = report => binder.CopyTo(report.AsMemory(0x050)) }).Evidence;

    public static X509Certificate2 MakeCertificate()
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        return new CertificateRequest("CN=machine", key, HashAlgorithmName.SHA256).CreateSelfSigned(DateTimeOffset.UnixEpoch.AddYears(50), DateTimeOffset.UnixEpoch.AddYears(90));
    }

    /// <summary>A factory that trusts the synthetic hardware, at its time.</summary>
    public static AttestedChannelFactory Dialer(TimeProvider clock, bool allowSimulated = false, CompleteEvidence? complete = null) => new(
        new EvidenceVerifier(new VerifierSettings { AllowSimulated = allowSimulated }, SyntheticAmd.Shared.Make(new SyntheticAmd.Case()).Anchors),
        complete ?? (static (evidence, _) => ValueTask.FromResult(evidence)), allowUnbound: false, clock);

    public static IReadOnlyList<NamedPolicy> Policies { get; } = [new("platform", 1, Policy())];

    public static AttestationPolicy Policy(string measurement = "ab", int lease = 600) => PolicyJson.Parse(
        System.Text.Encoding.UTF8.GetBytes($$$"""{"types":["sev-snp"],"lease_seconds":{{{lease}}},"snp":{"measurements":["{{{string.Concat(Enumerable.Repeat(measurement, 48))}}}"],"require_crl":false}}"""), allowSimulated: false);

    public async ValueTask DisposeAsync()
    {
        Hold?.TrySetResult();
        await _app.DisposeAsync();
    }
}
