using System.Diagnostics;
using System.Net.Http.Headers;
using System.Runtime.CompilerServices;
using System.Text.Json;
using Cube.Tests.Systems;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Npgsql;

namespace Cube.Tests.Functional.Authorization;

/// <summary>Every proxy drops a cached decision after a change: at once with a notice, and within seconds without one.</summary>
[Collection(EmbeddedEngineCollectionDefinition.Name)]
public sealed class InvalidationTests(EmbeddedEngineSystem system)
{
    [Fact]
    [Trait("Conformance", "AU-08")]
    public async Task A_revoked_permission_is_rejected_by_every_proxy()
    {
        var cube = system.Cube;
        var notified = await cube.StartAnotherProxyAsync();
        // Its own database, in which Identity does not notify: this proxy receives no notices.
        var unnotified = await cube.StartAnotherProxyAsync(new KeyValuePair<string, string>("ConnectionStrings__proxy", await system.Postgres.CreateDatabaseAsync()));
        var (tenant, admin) = (await cube.CreateTenantAsync(), (await cube.LoginAsync()).Access);
        Uri[] proxies = [cube.Proxy, notified, unnotified];

        var member = await cube.CreateMemberAsync(tenant, "member");
        await AfterAsync(member.Token, 403, () => cube.SendAsync(
            HttpMethod.Delete, $"/domains/{tenant.Domain}/roles", tenant.Token, new { members = (Guid[])[member.UserId] }));

        var chatter = await cube.CreateMemberAsync(tenant, "chatter", ["llm_chat_completions"]);
        var role = await cube.RoleIdAsync(tenant, "chatter");
        await AfterAsync(chatter.Token, 403, () => cube.SendAsync(HttpMethod.Post, $"/domains/{tenant.Domain}/roles/{role}/actions/delete-all", tenant.Token));

        var disabled = await cube.CreateMemberAsync(tenant, "member");
        await AfterAsync(disabled.Token, 401, () => cube.SendAsync(HttpMethod.Post, $"/users/{disabled.UserId}/disable", admin));

        var (id, secret) = await cube.CreatePatAsync(tenant, "models/*/*");
        await AfterAsync(secret, 401, () => cube.SendAsync(HttpMethod.Patch, $"/pats/{id}/secret/revoke", tenant.Token));

        var leaving = await cube.CreateMemberAsync(tenant, "member");
        await AfterAsync(leaving.Token, 401, () => cube.SendAsync(HttpMethod.Post, "/users/tokens/revoke", leaving.Token));

        async Task AfterAsync(string token, int refused, Func<Task<(int Status, JsonElement Body)>> change)
        {
            foreach (var proxy in proxies)
            {
                Assert.Equal(200, await ChatAsync(proxy, tenant.Domain, token));
            }

            var clock = Stopwatch.StartNew();
            Assert.InRange((await change()).Status, 200, 204);
            foreach (var proxy in proxies)
            {
                await Eventually.TrueAsync(async () => await ChatAsync(proxy, tenant.Domain, token) == refused, $"{proxy} refuses", 5);
                // Only the proxy without notices uses the decision until it expires after four seconds.
                Assert.True(proxy == unnotified || clock.Elapsed < TimeSpan.FromSeconds(3), $"{clock.Elapsed}");
            }

            Assert.True(clock.Elapsed < TimeSpan.FromSeconds(5.5), $"{clock.Elapsed}");
        }
    }

    [Fact]
    public async Task Concurrent_requests_cause_one_check_per_decision_and_none_while_it_is_cached()
    {
        var cube = system.Cube;
        await using var counter = await CountingEngine.StartAsync(cube);
        var proxy = await cube.StartAnotherProxyAsync(new KeyValuePair<string, string>("services__authorization__http__0", counter.Address));
        var tenant = await cube.CreateTenantAsync();

        var answers = await Task.WhenAll(Enumerable.Range(0, 60).Select(_ => ChatAsync(proxy, tenant.Domain, tenant.Token)));
        Assert.All(answers, static status => Assert.Equal(200, status));
        // One check is for the decision; the other requests look for deleted domains.
        Assert.InRange(counter.Checks, 1, 3);
    }

    [Fact]
    public async Task While_Identity_confirms_its_notices_a_decision_is_not_checked_again_after_four_seconds()
    {
        var cube = system.Cube;
        await using var counter = await CountingEngine.StartAsync(cube);
        var proxy = await cube.StartAnotherProxyAsync(new KeyValuePair<string, string>("services__authorization__http__0", counter.Address));
        var tenant = await cube.CreateTenantAsync();
        // The notices about the new domain have arrived.
        await Task.Delay(2000);
        Assert.Equal(200, await ChatAsync(proxy, tenant.Domain, tenant.Token));
        var before = counter.PermissionChecks;
        await Task.Delay(6000);
        Assert.Equal(200, await ChatAsync(proxy, tenant.Domain, tenant.Token));
        Assert.Equal(before, counter.PermissionChecks);
    }

    /// <summary>The attack: Identity crashes between the commit of a revocation and its notice.</summary>
    [Fact]
    public async Task A_revocation_whose_notice_is_lost_takes_effect_within_five_seconds_and_the_notice_follows()
    {
        await using var cube = await CubeSystem.StartAsync(system.Postgres);
        var tenant = await cube.CreateTenantAsync();
        var member = await cube.CreateMemberAsync(tenant, "member");
        Assert.Equal(200, await ChatAsync(cube.Proxy, tenant.Domain, member.Token, "cube-guide"));
        // Longer than an unconfirmed decision is used.
        await Task.Delay(5000);
        Assert.Equal(200, await ChatAsync(cube.Proxy, tenant.Domain, member.Token, "cube-guide"));

        cube["Cube.Identity"].Kill();
        await cube["Cube.Identity"].WaitForExitAsync();
        await using (var database = NpgsqlDataSource.Create(cube.Database))
        {
            await using var revoke = database.CreateCommand("delete from role_members where user_id = $1");
            revoke.Parameters.AddWithValue(member.UserId);
            Assert.Equal(1, await revoke.ExecuteNonQueryAsync());
        }

        await Task.Delay(5000);
        Assert.Equal(503, await ChatAsync(cube.Proxy, tenant.Domain, member.Token, "cube-guide"));
        cube.Restart("Cube.Identity");
        await cube.WaitUntilHealthyAsync(cube.Identity);
        await Eventually.TrueAsync(async () => await ChatAsync(cube.Proxy, tenant.Domain, member.Token, "cube-guide") == 403, "the member is rejected", 10);
        Assert.Equal(200, await ChatAsync(cube.Proxy, tenant.Domain, tenant.Token, "cube-guide"));
    }

    /// <summary>Identity cannot reach the proxies' database, while the proxies can.</summary>
    [Fact]
    public async Task A_notice_that_cannot_be_sent_is_sent_later_and_no_decision_is_confirmed_meanwhile()
    {
        await using var cube = await CubeSystem.StartAsync(system.Postgres);
        var tenant = await cube.CreateTenantAsync();
        var member = await cube.CreateMemberAsync(tenant, "member");
        Assert.Equal(200, await ChatAsync(cube.Proxy, tenant.Domain, member.Token, "cube-guide"));
        await using var proxies = NpgsqlDataSource.Create(cube.ProxyDatabase);
        var name = new NpgsqlConnectionStringBuilder(cube.ProxyDatabase).Database;
        await ExecuteAsync(proxies, $"revoke connect on database \"{name}\" from public; select pg_terminate_backend(pid) from pg_stat_activity where usename = 'cube_notify' and datname = '{name}'");

        var (status, _) = await cube.SendAsync(HttpMethod.Delete, $"/domains/{tenant.Domain}/roles", tenant.Token, new { members = (Guid[])[member.UserId] });
        Assert.InRange(status, 200, 204);
        await Task.Delay(5000);
        Assert.Equal(403, await ChatAsync(cube.Proxy, tenant.Domain, member.Token, "cube-guide"));
        await using var identity = NpgsqlDataSource.Create(cube.Database);
        Assert.Equal(["*"], await NoticesAsync(identity));

        await ExecuteAsync(proxies, $"grant connect on database \"{name}\" to public");
        await Eventually.TrueAsync(async () => (await NoticesAsync(identity)).Count == 0, "the notice is sent", 10);
    }

    private static async Task ExecuteAsync(NpgsqlDataSource database, string sql)
    {
        await using var command = database.CreateCommand(sql);
        await command.ExecuteNonQueryAsync();
    }

    private static async Task<List<string>> NoticesAsync(NpgsqlDataSource identity)
    {
        await using var command = identity.CreateCommand("select notice from outbox where notice is not null");
        await using var reader = await command.ExecuteReaderAsync();
        var notices = new List<string>();
        while (await reader.ReadAsync())
        {
            notices.Add(reader.GetString(0));
        }

        return notices;
    }

    private static readonly HttpClient Http = new(new SocketsHttpHandler());

    private static async Task<int> ChatAsync(Uri proxy, Guid domain, string token, string model = "m")
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, new Uri(proxy, $"/proxy/{domain}/v1/chat/completions"))
        {
            Content = new StringContent($$"""{"model":"{{model}}","messages":[{"role":"user","content":"hi"}]}""", new MediaTypeHeaderValue("application/json")),
        };
        request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", token);
        using var response = await Http.SendAsync(request);
        return (int)response.StatusCode;
    }

    /// <summary>Forwards requests to the engine with a delay and counts them.</summary>
    private sealed class CountingEngine(WebApplication app, string address, StrongBox<int> checks, StrongBox<int> permissionChecks) : IAsyncDisposable
    {
        private readonly StrongBox<int> _checks = checks;

        public string Address => address;

        public int Checks => Volatile.Read(ref _checks.Value);

        /// <summary>The checks without those of the search for deleted domains, which reads relationships.</summary>
        public int PermissionChecks => Volatile.Read(ref permissionChecks.Value);

        public static async Task<CountingEngine> StartAsync(CubeSystem cube)
        {
            var (checks, permissionChecks) = (new StrongBox<int>(), new StrongBox<int>());
            var builder = WebApplication.CreateBuilder();
            builder.Logging.ClearProviders();
            var app = builder.Build();
            app.Urls.Add("http://127.0.0.1:0");
            app.Run(async context =>
            {
                Interlocked.Increment(ref checks.Value);
                if (context.Request.Path.Value!.Contains("/permissions/", StringComparison.Ordinal))
                {
                    Interlocked.Increment(ref permissionChecks.Value);
                }

                using var reader = new StreamReader(context.Request.Body);
                using var request = new HttpRequestMessage(HttpMethod.Post, new Uri(cube.Authorization, context.Request.Path)) { Content = new StringContent(await reader.ReadToEndAsync()) };
                request.Headers.TryAddWithoutValidation("Authorization", context.Request.Headers.Authorization.ToString());
                await Task.Delay(300);
                using var response = await Http.SendAsync(request);
                (context.Response.StatusCode, context.Response.ContentType) = ((int)response.StatusCode, "application/json");
                await context.Response.WriteAsync(await response.Content.ReadAsStringAsync());
            });
            await app.StartAsync();
            return new CountingEngine(app, app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.Single(), checks, permissionChecks);
        }

        public ValueTask DisposeAsync() => app.DisposeAsync();
    }
}
