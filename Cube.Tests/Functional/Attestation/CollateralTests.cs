using System.Collections.Concurrent;
using System.Net;
using Cube.Attestation;
using Cube.Attestation.Appraisal;
using Cube.Attestation.Certificates;
using Cube.Attestation.Evidence;
using Cube.Attestation.Tdx;
using Cube.Attestation.Verdicts;
using Cube.Proxy.Attestation.Collateral;
using Cube.Proxy.Configuration;
using Cube.Proxy.Configuration.Policies;
using Cube.Proxy.Configuration.Routes;
using Cube.Proxy.Database;
using Cube.Tests.Attestation.Synthetic;
using Cube.Tests.Systems;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;
using Microsoft.Extensions.Time.Testing;

namespace Cube.Tests.Functional.Attestation;

/// <summary>VendorClient that respond, respond wrongly, or are unavailable; with real sockets and a real database.</summary>
public sealed class CollateralTests(PostgresServer postgres) : IAsyncLifetime
{
    private readonly FakeTimeProvider _clock = new(SyntheticAmd.Now);
    private readonly ConcurrentBag<string> _asked = [];
    private readonly List<IAsyncDisposable> _toDispose = [];
    private WebApplication _vendor = null!;
    private string _database = "";
    private TdxCollateral _intel = SyntheticIntel.Shared.Make(new()).Evidence.Collateral!;
    private byte[] _crl = SyntheticAmd.Shared.Crl();
    private bool _isAway;

    public async ValueTask InitializeAsync()
    {
        _database = await postgres.CreateDatabaseAsync();
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        _vendor = builder.Build();
        _vendor.Urls.Add("http://127.0.0.1:0");
        _vendor.Run(AnswerAsync);
        await _vendor.StartAsync();
    }

    [Fact]
    public async Task A_thousand_concurrent_verifications_request_each_vendor_document_once()
    {
        var store = await StoreAsync();
        var (tdx, snp) = (SyntheticIntel.Shared.Make(new()).Evidence with { Collateral = null }, SyntheticAmd.Shared.Make(new()).Evidence with { Certificates = [], Crl = null });
        await Parallel.ForEachAsync(Enumerable.Range(0, 1000), new ParallelOptions { MaxDegreeOfParallelism = 64 }, async (i, ct) =>
        {
            var complete = await store.CompleteAsync(i % 2 == 0 ? tdx : snp, ct);
            Assert.True(i % 2 == 0 ? complete.Collateral is not null : complete is { Crl: not null, Certificates.Count: 1 });
        });
        Assert.Equal(6, _asked.Count);
        Assert.Contains(_asked, static path => path.StartsWith("/vcek/v1/Milan/0102", StringComparison.Ordinal) && path.Contains("blSPL=03&teeSPL=00&snpSPL=08&ucodeSPL=115", StringComparison.Ordinal));
        Assert.Contains("/tdx/certification/v4/tcb?fmspc=00806F050000", _asked);
    }

    [Fact]
    public async Task A_verdict_requires_fetched_collateral()
    {
        var store = await StoreAsync();
        var (evidence, anchors) = SyntheticIntel.Shared.Make(new());
        var complete = await store.CompleteAsync(evidence with { Collateral = null }, default);
        var verifier = new EvidenceVerifier(new VerifierSettings(), anchors);
        IReadOnlyList<Cube.Attestation.Policy.NamedPolicy> policies =
            [new("p", 1, Cube.Attestation.Policy.PolicyJson.Parse(System.Text.Encoding.UTF8.GetBytes($$$"""{"types":["tdx"],"tdx":{"mr_tds":["{{{string.Concat(Enumerable.Repeat("aa", 48))}}}"]}}"""), false))];
        Assert.Equal((Outcome.Valid, "UpToDate"), (verifier.VerifyDetached(complete, policies, SyntheticIntel.Now).Outcome, verifier.VerifyDetached(complete, policies, SyntheticIntel.Now).TcbStatus));
        var without = verifier.VerifyDetached(evidence with { Collateral = null }, policies, SyntheticIntel.Now);
        Assert.Equal((Outcome.Indeterminate, Codes.CollateralMissing), (without.Outcome, without.Code));
    }

    [Fact]
    public async Task An_evaluation_number_is_used_only_if_the_vendor_signed_it()
    {
        var store = await StoreAsync();
        _isAway = true;
        var genuine = SyntheticIntel.Shared.Make(new()).Evidence;
        var forged = genuine.Collateral! with { TcbInfo = System.Text.RegularExpressions.Regex.Replace(genuine.Collateral!.TcbInfo, "\"tcbEvaluationDataNumber\":\\d+", "\"tcbEvaluationDataNumber\":999999") };
        Assert.NotEqual(genuine.Collateral!.TcbInfo, forged.TcbInfo);
        await store.CompleteAsync(genuine with { Collateral = forged }, default);
        Assert.NotNull((await store.CompleteAsync(genuine, default)).Collateral);
    }

    [Fact]
    public async Task A_vendor_response_is_read_only_up_to_the_limit()
    {
        var store = await StoreAsync();
        _isEndless = true;
        Assert.Null((await store.CompleteAsync(SyntheticAmd.Shared.Make(new()).Evidence with { Crl = null }, default)).Crl);
        // The buffers of the sockets hold tens of megabytes.
        Assert.InRange(_sent, 1 << 20, 512 << 20);
    }

    [Fact]
    public async Task A_stored_document_that_no_vendor_signed_is_not_used()
    {
        var store = await StoreAsync();
        var table = new CollateralDocumentStore((ProxyDatabase)_toDispose.OfType<ProxyDatabase>().Last());
        await table.WriteAsync(new CollateralDocument("amd-crl/vcek/Milan", [1, 2, 3], SyntheticAmd.Now, SyntheticAmd.Now.AddDays(1)), default);
        await table.WriteAsync(new CollateralDocument("nonsense", [], SyntheticAmd.Now, null), default);
        var restarted = await StoreAsync();
        Assert.Empty(restarted.List());
        Assert.NotNull((await restarted.CompleteAsync(SyntheticAmd.Shared.Make(new()).Evidence with { Crl = null }, default)).Crl);
        await store.StopAsync(default);
    }

    [Fact]
    public async Task Stored_collateral_is_used_until_it_expires_while_the_vendor_is_unavailable()
    {
        var tdx = SyntheticIntel.Shared.Make(new()).Evidence with { Collateral = null };
        Assert.NotNull((await (await StoreAsync()).CompleteAsync(tdx, default)).Collateral);
        _isAway = true;
        var restarted = await StoreAsync();
        _asked.Clear();
        Assert.NotNull((await restarted.CompleteAsync(tdx, default)).Collateral);
        Assert.Empty(_asked);

        // Intel's documents expire on 1 July, its revocation lists two weeks later.
        _clock.SetUtcNow(new DateTimeOffset(2026, 6, 30, 23, 59, 59, TimeSpan.Zero));
        Assert.NotNull((await restarted.CompleteAsync(tdx, default)).Collateral);
        _clock.Advance(TimeSpan.FromSeconds(1));
        Assert.Null((await restarted.CompleteAsync(tdx, default)).Collateral);
        // An unavailable vendor is not requested for every verification.
        var asked = _asked.Count;
        await restarted.CompleteAsync(tdx, default);
        Assert.Equal(asked, _asked.Count);
    }

    [Fact]
    public async Task A_changed_revocation_list_causes_reverification_of_every_machine()
    {
        var store = await StoreAsync();
        var snp = SyntheticAmd.Shared.Make(new()).Evidence;
        await store.CompleteAsync(snp, default);
        var before = _policies!.Current.PlatformSet.Key;
        _crl = SyntheticAmd.Shared.Crl(revokeAsk: true);
        _clock.Advance(TimeSpan.FromDays(1) + TimeSpan.FromMinutes(5));
        await Eventually.TrueAsync(() => Task.FromResult(_renewed > 0), "all machines are verified again");
        Assert.NotEqual(before, _keyAfter);
        await store.StopAsync(default);
    }

    [Fact]
    public async Task Collateral_with_a_lower_evaluation_number_is_rejected_from_every_source()
    {
        _isAway = true;
        var store = await StoreAsync();
        var newer = SyntheticIntel.Shared.Make(new() { TcbInfo = static info => info["tcbEvaluationDataNumber"] = 20 }).Evidence;
        var older = SyntheticIntel.Shared.Make(new() { TcbInfo = static info => info["tcbEvaluationDataNumber"] = 19 }).Evidence;
        Assert.NotNull((await store.CompleteAsync(newer, default)).Collateral);
        Assert.Null((await store.CompleteAsync(older, default)).Collateral);
        Assert.NotNull((await store.CompleteAsync(newer, default)).Collateral);
    }

    [Fact]
    public async Task Imported_collateral_is_used_by_every_proxy_without_a_vendor_and_after_a_restart()
    {
        _isAway = true;
        var (one, other) = (await StoreAsync(), await StoreAsync());
        var (tdx, snp) = (SyntheticIntel.Shared.Make(new()).Evidence with { Collateral = null }, SyntheticAmd.Shared.Make(new()).Evidence with { Certificates = [], Crl = null });
        Assert.Null((await other.CompleteAsync(tdx, default)).Collateral);
        Assert.Null(await one.ImportAsync([Intel(new()), AmdCrl(_crl), Vcek()], default));
        Assert.Equal(3, one.List().Count);
        Assert.NotNull((await one.CompleteAsync(tdx, default)).Collateral);
        Assert.True(await one.CompleteAsync(snp, default) is { Crl: not null, Certificates.Count: 1 });

        await Eventually.TrueAsync(async () =>
        {
            _clock.Advance(TimeSpan.FromMinutes(1));
            return (await other.CompleteAsync(tdx, default)).Collateral is not null && await other.CompleteAsync(snp, default) is { Crl: not null, Certificates.Count: 1 };
        }, "the other proxy has them");
        Assert.NotNull((await (await StoreAsync()).CompleteAsync(tdx, default)).Collateral);

        // The exported file can be imported elsewhere without loss, and identical documents are not reported as changes.
        Assert.Null(await other.ImportAsync([.. one.List().Select(static kept => (kept.Name, kept.Content))], default));
        Assert.Equal(0, _renewed);
        // A newer list with a revocation causes reverification, also in the other proxy.
        Assert.Null(await one.ImportAsync([AmdCrl(SyntheticAmd.Shared.Crl(nextUpdate: SyntheticAmd.Now.AddDays(60), revokeAsk: true))], default));
        await Eventually.TrueAsync(() =>
        {
            _clock.Advance(TimeSpan.FromMinutes(1));
            return Task.FromResult(_renewed > 0);
        }, "all machines are verified again");
    }

    [Fact]
    public async Task A_forged_expired_older_or_misnamed_document_is_never_imported()
    {
        _isAway = true;
        var store = await StoreAsync();
        var now = SyntheticAmd.Now;
        var (intel, vcek) = (Intel(new()), Vcek());
        Assert.Null(await store.ImportAsync([AmdCrl(SyntheticAmd.Shared.Crl(nextUpdate: now.AddDays(60)))], default));
        var kept = store.List().Single().Content;
        (string Name, byte[] Content)[] refused =
        [
            AmdCrl(SyntheticAmd.Shared.Crl(nextUpdate: now.AddDays(90), forged: true)),
            AmdCrl(SyntheticAmd.Shared.Crl(thisUpdate: now.AddDays(-9), nextUpdate: now.AddDays(-1))),
            AmdCrl(SyntheticAmd.Shared.Crl(thisUpdate: now.AddDays(1), nextUpdate: now.AddDays(90))),
            AmdCrl(SyntheticAmd.Shared.Crl(nextUpdate: now.AddDays(30))),
            AmdCrl([0x30]), AmdCrl(intel.Content),
            ("amd-crl/vcek/Genoa", _crl), ("amd-crl/vcek/Rome", _crl), ("amd-crl/x/Milan", _crl),
            (vcek.Name.Replace("ucodeSPL=115", "ucodeSPL=116", StringComparison.Ordinal), vcek.Content),
            (vcek.Name.Replace("/0102", "/0202", StringComparison.Ordinal), vcek.Content),
            (vcek.Name, [.. vcek.Content[..^1], (byte)(vcek.Content[^1] ^ 1)]), (vcek.Name, _crl),
            ("intel/00806F050001/platform", intel.Content), (intel.Name.Replace("platform", "processor", StringComparison.Ordinal), intel.Content),
            ("intel/00806F050000/platform", "{}"u8.ToArray()), (intel.Name, _crl),
            Intel(new() { ForgePckCrl = true }), Intel(new() { ForgeRootCrl = true }), Intel(new() { PckCrlFromRoot = true }), Intel(new() { RevokeTcbSigner = true }),
            Intel(new() { CrlTo = now.AddDays(-1) }), Intel(new() { RootCrlTo = now.AddDays(-1) }),
            (intel.Name, System.Text.Encoding.UTF8.GetBytes(System.Text.Encoding.UTF8.GetString(intel.Content).Replace("UpToDate", "UpToDatf", StringComparison.Ordinal))),
            ("maa/https://sharedeus2.eus2.attest.azure.net", """{"keys":[]}"""u8.ToArray()), ("nonsense", _crl), ("", _crl), ("amd-vcek", vcek.Content), ("../etc/passwd", _crl),
        ];
        foreach (var document in refused)
        {
            // A file that contains one of them is rejected as a whole.
            var fault = await store.ImportAsync([vcek, document], default);
            Assert.True(fault is { Error.Length: > 0 } && fault.Value.Name == document.Name, document.Name);
        }

        Assert.Equal(kept, store.List().Single().Content);
    }

    [Fact]
    public async Task An_unsigned_vendor_response_never_replaces_a_valid_document()
    {
        var store = await StoreAsync();
        var snp = SyntheticAmd.Shared.Make(new()).Evidence with { Crl = null };
        Assert.NotNull((await store.CompleteAsync(snp, default)).Crl);
        var good = _crl;
        _crl = SyntheticAmd.Shared.Crl(nextUpdate: SyntheticAmd.Now.AddDays(400), forged: true);
        var asked = _asked.Count;
        await Eventually.TrueAsync(() =>
        {
            _clock.Advance(TimeSpan.FromDays(1));
            return Task.FromResult(_asked.Count > asked);
        }, "the vendor is asked again");
        Assert.Equal(good, store.List().Single(static kept => kept.Name.StartsWith("amd-crl", StringComparison.Ordinal)).Content);
        Assert.Equal(0, _renewed);
    }

    private static (string Name, byte[] Content) Intel(SyntheticIntel.Case wanted) =>
        ("intel/00806F050000/platform", TdxCollateralConverter.ToJson(SyntheticIntel.Shared.Make(wanted).Evidence.Collateral!));

    private static (string Name, byte[] Content) AmdCrl(byte[] crl) => ("amd-crl/vcek/Milan", crl);

    private static (string Name, byte[] Content) Vcek()
    {
        var evidence = SyntheticAmd.Shared.Make(new()).Evidence;
        return ("amd-vcek" + CollateralRequirements.Of(evidence with { Certificates = [] }).VcekPath, evidence.Certificates[0]);
    }

    private ProxyConfigurationProvider? _policies;
    private bool _isEndless;
    private long _sent;
    private int _renewed;
    private string? _keyAfter;

    private async Task<CollateralProvider> StoreAsync()
    {
        var configuration = new ConfigurationBuilder().AddInMemoryCollection([new("ConnectionStrings:proxy", _database)]).Build();
        var database = new ProxyDatabase(configuration);
        database.Migrate();
        var vendor = new Uri(_vendor.Urls.Single());
        var options = Options.Create(new CollateralOptions { AmdKds = vendor, IntelPcs = vendor, IntelCertificates = vendor });
        _policies = new ProxyConfigurationProvider(new PolicyStore(database), new RouteStore(database), new SeedRoutes(Options.Create(new RoutingOptions())), database, Options.Create(new PolicyOptions()), TimeProvider.System, NullLogger<ProxyConfigurationProvider>.Instance);
        await _policies.ReadAsync(default);
        _policies.Changed += () =>
        {
            _keyAfter = _policies.Current.PlatformSet.Key;
            Interlocked.Increment(ref _renewed);
        };
        var clients = new ServiceCollection().AddHttpClient().BuildServiceProvider();
        var (snp, anchors) = SyntheticAmd.Shared.Make(new());
        var verifier = new CollateralVerifier(anchors with { AmdIntermediates = [Certificate.Parse(snp.Certificates[1])], Intel = SyntheticIntel.Shared.Make(new()).Anchors.Intel });
        var store = new CollateralProvider(
            new VendorClient(clients.GetRequiredService<IHttpClientFactory>(), options), verifier, new CollateralDocumentStore(database), _policies, _clock, NullLogger<CollateralProvider>.Instance);
        await store.StartAsync(default);
        _toDispose.Add(database);
        _toDispose.Add(clients);
        return store;
    }

    private async Task AnswerAsync(HttpContext context)
    {
        var path = context.Request.Path + context.Request.QueryString.Value;
        _asked.Add(path);
        if (_isAway)
        {
            context.Response.StatusCode = 503;
            return;
        }

        var junk = new byte[64 << 10];
        while (_isEndless && !context.RequestAborted.IsCancellationRequested && _sent < 1 << 30)
        {
            await context.Response.Body.WriteAsync(junk, context.RequestAborted);
            _sent += junk.Length;
            if (_sent % (1 << 20) == 0)
            {
                // After the client has closed the connection, Kestrel accepts and discards writes until it cancels the request.
                await Task.Delay(1, CancellationToken.None);
            }
        }

        // Long enough for all thousand requests to overlap.
        await Task.Delay(50);
        switch (context.Request.Path.Value)
        {
            case "/tdx/certification/v4/tcb":
                context.Response.Headers["TCB-Info-Issuer-Chain"] = WebUtility.UrlEncode(_intel.TcbInfoIssuerChain);
                await context.Response.WriteAsync($$"""{"tcbInfo":{{_intel.TcbInfo}},"signature":"{{Convert.ToHexStringLower(_intel.TcbInfoSignature.Span)}}"}""");
                break;
            case "/tdx/certification/v4/qe/identity":
                context.Response.Headers["SGX-Enclave-Identity-Issuer-Chain"] = WebUtility.UrlEncode(_intel.QeIdentityIssuerChain);
                await context.Response.WriteAsync($$"""{"enclaveIdentity":{{_intel.QeIdentity}},"signature":"{{Convert.ToHexStringLower(_intel.QeIdentitySignature.Span)}}"}""");
                break;
            case "/sgx/certification/v4/pckcrl":
                context.Response.Headers["SGX-PCK-CRL-Issuer-Chain"] = WebUtility.UrlEncode(_intel.PckCrlIssuerChain);
                await context.Response.Body.WriteAsync(_intel.PckCrl);
                break;
            case "/IntelSGXRootCA.der":
                await context.Response.Body.WriteAsync(_intel.RootCaCrl);
                break;
            case "/vcek/v1/Milan/crl":
                await context.Response.Body.WriteAsync(_crl);
                break;
            default:
                await context.Response.Body.WriteAsync(SyntheticAmd.Shared.Make(new()).Evidence.Certificates[0]);
                break;
        }
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var disposable in _toDispose)
        {
            await disposable.DisposeAsync();
        }

        await _vendor.DisposeAsync();
    }
}
