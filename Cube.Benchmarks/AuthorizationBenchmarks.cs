using System.Diagnostics.Metrics;
using BenchmarkDotNet.Attributes;
using Cube.Authorization.Relationships;
using Cube.Proxy.Authentication;
using Cube.Proxy.Authorization;
using Cube.Proxy.Edge;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.Caching.Hybrid;
using Microsoft.Extensions.DependencyInjection;

namespace Cube.Benchmarks;

/// <summary>What the authorization of a request costs when its decisions are cached: at most 2 µs.</summary>
[MemoryDiagnoser]
public class AuthorizationBenchmarks
{
    private readonly ServiceProvider _services;
    private readonly AuthorizationStage _stage;
    private readonly DefaultHttpContext _context = new();
    private readonly Caller _caller = new(Guid.NewGuid(), Guid.NewGuid(), null, "token", DateTimeOffset.MaxValue);
    private readonly Permissions _permissions;
    private readonly Access _narrowed = new(true, false, true);
    private readonly Guid _domain = Guid.NewGuid();

    public AuthorizationBenchmarks()
    {
        var services = new ServiceCollection();
        services.AddMetrics().AddLogging().AddHybridCache();
        services.AddHttpClient(IdentityKeys.ClientName, static client => client.BaseAddress = new Uri("http://identity/"))
            .ConfigurePrimaryHttpMessageHandler(() => new Answering($$"""{"user_id":"{{_caller.UserId}}","status":"enabled"}"""));
        _services = services.BuildServiceProvider();
        var cache = new LongLived(_services.GetRequiredService<HybridCache>());
        _permissions = new Permissions(cache, new Willing(), _services.GetRequiredService<IMeterFactory>());
        var memberships = new MembershipClient(cache, new IdentityClient(_services.GetRequiredService<IHttpClientFactory>()));
        _stage = new AuthorizationStage(static _ => Task.CompletedTask, memberships, _permissions, administrators: null!);
        _context.Features.Set(new DomainRequest { Caller = _caller });
        _context.Features.GetRequiredFeature<IHttpRequestFeature>().RawTarget = $"/proxy/{_domain}/v1/chat/completions";
        _context.Request.Method = HttpMethods.Post;
        _stage.InvokeAsync(_context).GetAwaiter().GetResult();
        if (DomainRequest.Of(_context) is not { Access.IsAllowed: true, Endpoint: { } endpoint } || endpoint != InferenceEndpoints.ChatCompletions)
        {
            throw new InvalidOperationException($"The request is refused with {_context.Response.StatusCode}; there is nothing to measure.");
        }
    }

    /// <summary>The whole stage: path, standing, endpoint, permission.</summary>
    [Benchmark(Baseline = true)]
    public Task Cached() => _stage.InvokeAsync(_context);

    /// <summary>What comes to it where the caller's role is narrowed to named models.</summary>
    [Benchmark]
    public async Task<bool> CachedModel() => (await _permissions.FindAsync(_caller, _domain, "llm_chat_completions", "llama3.2:3b", _narrowed, default)).IsAllowed;

    [GlobalCleanup]
    public void CleanUp() => _services.Dispose();

    /// <summary>Entries outlive the measurement, which takes longer than four seconds.</summary>
    private sealed class LongLived(HybridCache inner) : HybridCache
    {
        private static readonly HybridCacheEntryOptions Hour = new()
        {
            Expiration = TimeSpan.FromHours(1), LocalCacheExpiration = TimeSpan.FromHours(1), Flags = HybridCacheEntryFlags.DisableDistributedCache,
        };

        public override ValueTask<T> GetOrCreateAsync<TState, T>(
            string key, TState state, Func<TState, CancellationToken, ValueTask<T>> factory, HybridCacheEntryOptions? options = null, IEnumerable<string>? tags = null, CancellationToken cancellationToken = default) =>
            inner.GetOrCreateAsync(key, state, factory, Hour, tags, cancellationToken);

        public override ValueTask SetAsync<T>(string key, T value, HybridCacheEntryOptions? options = null, IEnumerable<string>? tags = null, CancellationToken cancellationToken = default) =>
            inner.SetAsync(key, value, Hour, tags, cancellationToken);

        public override ValueTask RemoveAsync(string key, CancellationToken cancellationToken = default) => inner.RemoveAsync(key, cancellationToken);

        public override ValueTask RemoveByTagAsync(string tag, CancellationToken cancellationToken = default) => inner.RemoveByTagAsync(tag, cancellationToken);
    }

    private sealed class Answering(string json) : HttpMessageHandler
    {
        protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken) =>
            Task.FromResult(new HttpResponseMessage { Content = new StringContent(json) });
    }

    private sealed class Willing : IAuthorizationEngine
    {
        public string Name => "willing";

        public Task<string?> ReadSchemaAsync(CancellationToken ct) => throw new NotSupportedException();

        public Task WriteSchemaAsync(string schema, CancellationToken ct) => throw new NotSupportedException();

        public Task WriteAsync(IReadOnlyCollection<RelationshipUpdate> updates, CancellationToken ct) => throw new NotSupportedException();

        public IAsyncEnumerable<Relationship> ReadAsync(RelationshipFilter filter, CancellationToken ct) => throw new NotSupportedException();

        public Task<bool[]> CheckAsync(IReadOnlyList<PermissionCheck> checks, CancellationToken ct) => Task.FromResult(checks.Select(static _ => true).ToArray());
    }
}
