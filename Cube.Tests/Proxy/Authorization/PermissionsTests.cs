using System.Diagnostics.Metrics;
using Cube.Authorization;
using Cube.Authorization.Relationships;
using Cube.Proxy.Authentication;
using Cube.Proxy.Authorization;
using Cube.Proxy.Caching;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Time.Testing;

namespace Cube.Tests.Proxy.Authorization;

public sealed class PermissionsTests : IDisposable
{
    private static readonly DomainMember _member = new(Guid.NewGuid(), new Caller(Guid.NewGuid(), Guid.NewGuid(), Guid.NewGuid(), "pat", DateTimeOffset.MaxValue));
    private readonly ServiceProvider _services = new ServiceCollection().AddMetrics().BuildServiceProvider();
    private readonly CountingEngine _engine = new();
    private readonly Permissions _permissions;

    public PermissionsTests() => _permissions = new Permissions(new DecisionCache(new FakeTimeProvider()), _engine, _services.GetRequiredService<IMeterFactory>());

    /// <summary>The attack: a client uploads its body slowly, and its role is limited meanwhile. What was decided before must not be cached after the notification.</summary>
    [Fact]
    public async Task A_decision_about_a_model_does_not_keep_the_role_of_an_earlier_moment()
    {
        var before = await _permissions.FindAsync(_member, "llm_chat_completions", "m", new Access(IsAllowed: true, RoleHasAllModels: true, TokenHasAllModels: false), default);
        Assert.Equal(new ModelAccess(ByRole: true, ByToken: false), before);
        var after = await _permissions.FindAsync(_member, "llm_chat_completions", "m", new Access(IsAllowed: true, RoleHasAllModels: false, TokenHasAllModels: false), default);
        Assert.Equal(ModelAccess.None, after);
        Assert.Equal(1, _engine.Calls);
    }

    [Fact]
    public async Task Names_that_a_client_made_up_are_not_cached()
    {
        var access = new Access(IsAllowed: true, RoleHasAllModels: true, TokenHasAllModels: false);
        for (var i = 0; i < 3; i++)
        {
            Assert.False((await _permissions.FindUncachedAsync(_member, "llm_chat_completions", "unknown", access, default)).IsAllowed);
        }

        Assert.Equal(3, _engine.Calls);
        await _permissions.FindUncachedAsync(_member, "llm_chat_completions", new string('x', 10_000), access, default);
        Assert.Equal(3, _engine.Calls);
    }

    public void Dispose() => _services.Dispose();

    /// <summary>Denies everything.</summary>
    private sealed class CountingEngine : IAuthorizationEngine
    {
        public int Calls { get; private set; }

        public string Name => "counting";

        public Task<bool[]> CheckAsync(IReadOnlyList<PermissionCheck> checks, CancellationToken ct)
        {
            Calls++;
            return Task.FromResult(new bool[checks.Count]);
        }

        public Task<string?> ReadSchemaAsync(CancellationToken ct) => throw new NotSupportedException();

        public Task WriteSchemaAsync(string schema, CancellationToken ct) => throw new NotSupportedException();

        public Task WriteAsync(IReadOnlyCollection<RelationshipUpdate> updates, CancellationToken ct) => throw new NotSupportedException();

        public IAsyncEnumerable<Relationship> ReadAsync(RelationshipFilter filter, CancellationToken ct) => throw new NotSupportedException();
    }
}
