using System.Diagnostics.Metrics;
using BenchmarkDotNet.Attributes;
using Cube.Authorization.Relationships;
using Cube.Proxy.Authentication;
using Cube.Proxy.Authorization;
using Cube.Proxy.Caching;
using Cube.Proxy.Edge;
using Microsoft.AspNetCore.Authorization;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.DependencyInjection;

namespace Cube.Benchmarks;

/// <summary>The authorization of a request whose decisions are cached.</summary>
[MemoryDiagnoser]
public class AuthorizationBenchmarks
{
    private readonly ServiceProvider _services;
    private readonly IAuthorizationService _authorization;
    private readonly IAuthorizationRequirement[] _requirements = [new DomainMemberRequirement(), new DomainActionRequirement("llm_chat_completions")];
    private readonly DefaultHttpContext _context = new();
    private readonly Permissions _permissions;
    private readonly Access _limited = new(true, false, true);
    private readonly DomainMember _member = new(Guid.NewGuid(), new Caller(Guid.NewGuid(), Guid.NewGuid(), null, "token", DateTimeOffset.MaxValue));

    public AuthorizationBenchmarks()
    {
        var services = new ServiceCollection();
        services.AddMetrics().AddLogging();
        services.AddAuthorizationCore(static options => options.InvokeHandlersAfterFailure = false);
        services.AddHttpClient(IdentityKeys.ClientName, static client => client.BaseAddress = new Uri("http://identity/"))
            .ConfigurePrimaryHttpMessageHandler(() => new FixedResponse($$"""{"user_id":"{{_member.Caller.UserId}}","status":"enabled"}"""));
        services.AddSingleton(static provider => new IdentityClient(provider.GetRequiredService<IHttpClientFactory>()));
        services.AddSingleton(static _ => new DecisionCache(new StoppedClock()));
        services.AddSingleton(static provider => new Permissions(provider.GetRequiredService<DecisionCache>(), new AllowingEngine(), provider.GetRequiredService<IMeterFactory>()));
        services.AddSingleton<IAuthorizationHandler>(static provider => new DomainMemberHandler(new MembershipClient(provider.GetRequiredService<DecisionCache>(), provider.GetRequiredService<IdentityClient>())));
        services.AddSingleton<IAuthorizationHandler>(static provider => new DomainActionHandler(provider.GetRequiredService<Permissions>(), new PlatformAdministrators(provider.GetRequiredService<IdentityClient>())));
        _services = services.BuildServiceProvider();
        _authorization = _services.GetRequiredService<IAuthorizationService>();
        _permissions = _services.GetRequiredService<Permissions>();
        _context.Request.Path = $"/proxy/{_member.DomainId}/v1/chat/completions";
        _context.Features.Set(new DomainPathFeature(_member.DomainId, "/v1/chat/completions"));
        if (!Cached().GetAwaiter().GetResult())
        {
            throw new InvalidOperationException("The request is rejected; there is nothing to measure.");
        }
    }

    /// <summary>Membership and permission of one request.</summary>
    [Benchmark(Baseline = true)]
    public async Task<bool> Cached() => (await _authorization.AuthorizeAsync(_member.Caller.ToPrincipal(), _context, _requirements)).Succeeded;

    /// <summary>The additional check where the caller's role is limited to named models.</summary>
    [Benchmark]
    public async Task<bool> CachedModel() => (await _permissions.FindAsync(_member, "llm_chat_completions", "llama3.2:3b", _limited, default)).IsAllowed;

    [GlobalCleanup]
    public void CleanUp() => _services.Dispose();

    /// <summary>Decisions do not expire during the measurement.</summary>
    private sealed class StoppedClock : TimeProvider
    {
        public override long GetTimestamp() => 0;
    }

    private sealed class FixedResponse(string json) : HttpMessageHandler
    {
        protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken) =>
            Task.FromResult(new HttpResponseMessage { Content = new StringContent(json) });
    }

    private sealed class AllowingEngine : IAuthorizationEngine
    {
        public string Name => "allowing";

        public Task<string?> ReadSchemaAsync(CancellationToken ct) => throw new NotSupportedException();

        public Task WriteSchemaAsync(string schema, CancellationToken ct) => throw new NotSupportedException();

        public Task WriteAsync(IReadOnlyCollection<RelationshipUpdate> updates, CancellationToken ct) => throw new NotSupportedException();

        public IAsyncEnumerable<Relationship> ReadAsync(RelationshipFilter filter, CancellationToken ct) => throw new NotSupportedException();

        public Task<bool[]> CheckAsync(IReadOnlyList<PermissionCheck> checks, CancellationToken ct) => Task.FromResult(checks.Select(static _ => true).ToArray());
    }
}
