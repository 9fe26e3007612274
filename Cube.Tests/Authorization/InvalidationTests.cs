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

namespace Cube.Tests.Authorization;

/// <summary>What was decided is forgotten by every proxy when it is not so any more: at once, and in seconds where it is not told.</summary>
public sealed class InvalidationTests(PostgresServer postgres)
{
    [Fact]
    [Trait("Conformance", "AU-08")]
    public async Task A_removed_member_a_changed_role_a_disabled_user_and_a_revoked_token_are_refused_by_every_proxy()
    {
        await using var backend = new FakeBackend();
        await backend.StartAsync();
        await using var cube = await CubeSystem.StartAsync(postgres, ("vllm", backend.Address));
        var told = await cube.StartAnotherProxyAsync();
        // A database in which nobody notifies: all notices are lost.
        var untold = await cube.StartAnotherProxyAsync(new KeyValuePair<string, string>("ConnectionStrings__proxy", await postgres.CreateDatabaseAsync()));
        var (tenant, admin) = (await cube.CreateTenantAsync(), (await cube.LoginAsync()).Access);
        Uri[] proxies = [cube.Proxy, told, untold];

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
                // Only the one that is not told waits for its four seconds.
                Assert.True(proxy == untold || clock.Elapsed < TimeSpan.FromSeconds(3), $"{clock.Elapsed}");
            }

            Assert.True(clock.Elapsed < TimeSpan.FromSeconds(5.5), $"{clock.Elapsed}");
        }
    }

    [Fact]
    public async Task However_many_ask_at_once_the_engine_is_asked_once_for_each_decision_and_not_at_all_while_it_is_kept()
    {
        await using var backend = new FakeBackend();
        await backend.StartAsync();
        await using var cube = await CubeSystem.StartAsync(postgres, ("vllm", backend.Address));
        await using var counter = await CountingEngine.StartAsync(cube);
        var proxy = await cube.StartAnotherProxyAsync(new KeyValuePair<string, string>("services__authorization__http__0", counter.Address));
        var tenant = await cube.CreateTenantAsync();

        var answers = await Task.WhenAll(Enumerable.Range(0, 60).Select(_ => ChatAsync(proxy, tenant.Domain, tenant.Token)));
        Assert.All(answers, static status => Assert.Equal(200, status));
        // One for the decision; the others ask whether domains with stored rows were deleted.
        Assert.InRange(counter.Checks, 1, 3);
    }

    [Fact]
    public async Task While_the_engine_does_not_answer_nobody_is_let_in_and_nothing_is_changed()
    {
        var program = SpiceDbServer.ProgramOrSkip();
        await using var backend = new FakeBackend();
        await backend.StartAsync();
        var (process, address) = await SpiceDbServer.StartAsync(program);
        await using var cube = await CubeSystem.StartAsync(postgres, ("vllm", backend.Address), address);
        var tenant = await cube.CreateTenantAsync();
        Assert.Equal((200, null), await cube.ChatAsync(tenant.Domain, tenant.Token));

        await process.DisposeAsync();
        await Eventually.TrueAsync(async () => await cube.ChatAsync(tenant.Domain, tenant.Token) == (503, "unavailable"), "503", 6);
        var before = backend.Requests.Count;
        for (var i = 0; i < 5; i++)
        {
            Assert.Equal((503, "unavailable"), await cube.ChatAsync(tenant.Domain, tenant.Token));
        }

        Assert.Equal(before, backend.Requests.Count);
        var (status, body) = await cube.SendAsync(HttpMethod.Get, $"/domains/{tenant.Domain}", tenant.Token);
        Assert.Equal((503, "unavailable"), (status, body.GetProperty("error").GetString()));
        // The first change meets it and is kept; from then on none is begun.
        Assert.Equal(503, (await cube.SendAsync(HttpMethod.Post, "/domains", tenant.Token, new { name = "pending", route = "pending" })).Status);
        Assert.Equal(503, (await cube.SendAsync(HttpMethod.Post, "/domains", tenant.Token, new { name = "never", route = "never" })).Status);
        await Eventually.TrueAsync(async () =>
        {
            using var health = await cube.Http.GetAsync(new Uri(cube.Identity, "/health"));
            return !health.IsSuccessStatusCode;
        }, "Identity says that it is not well", 10);

        // It comes back empty, as one in memory does.
        (process, _) = await SpiceDbServer.StartAsync(program, address.Port);
        await using (process)
        {
            await cube.AnswersAsync(cube.Identity);
            await Eventually.TrueAsync(async () => (await cube.ChatAsync(tenant.Domain, tenant.Token)).Status == 200, "all is as before", 20);
            var (_, domains) = await cube.SendAsync(HttpMethod.Get, "/domains?limit=100", tenant.Token);
            string?[] names = [.. domains.GetProperty("domains").EnumerateArray().Select(static domain => domain.GetProperty("name").GetString())];
            Assert.Contains("pending", names);
            Assert.DoesNotContain("never", names);
            await AuthorizationSystem.EngineAgreesAsync(cube);
        }
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task After_Identity_is_killed_at_any_point_tables_and_engine_agree_again(bool withSpiceDb)
    {
        (ServiceProcess Process, Uri Address)? spiceDb = withSpiceDb ? await SpiceDbServer.StartAsync(SpiceDbServer.ProgramOrSkip()) : null;
        await using var cube = await CubeSystem.StartAsync(postgres, null, spiceDb?.Address);
        var tenant = await cube.CreateTenantAsync();
        for (var round = 0; round < 3; round++)
        {
            using var stop = new CancellationTokenSource();
            var writers = Enumerable.Range(0, 4).Select(async writer =>
            {
                for (var i = 0; !stop.IsCancellationRequested; i++)
                {
                    try
                    {
                        await cube.SendAsync(HttpMethod.Post, $"/domains/{tenant.Domain}/roles", tenant.Token, new { role_name = $"r{round}-{writer}-{i}", optional_actions = (string[])["read", "llm_read"] });
                        await cube.SendAsync(HttpMethod.Post, "/domains", tenant.Token, new { name = "x", route = $"x{Guid.NewGuid():N}"[..20] });
                    }
                    catch (HttpRequestException)
                    {
                        return;
                    }
                }
            }).ToArray();
            await Task.Delay(250 + (200 * round));
            cube["Cube.Identity"].Kill();
            await cube["Cube.Identity"].WaitForExitAsync();
            await stop.CancelAsync();
            await Task.WhenAll(writers);
            cube.Restart("Cube.Identity");
            await cube.AnswersAsync(cube.Identity);
            await AuthorizationSystem.EngineAgreesAsync(cube);
        }

        if (spiceDb is { } server)
        {
            await server.Process.DisposeAsync();
        }
    }

    private static readonly HttpClient Http = new(new SocketsHttpHandler());

    private static async Task<int> ChatAsync(Uri proxy, Guid domain, string token)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, new Uri(proxy, $"/proxy/{domain}/v1/chat/completions"))
        {
            Content = new StringContent("""{"model":"m","messages":[{"role":"user","content":"hi"}]}""", new MediaTypeHeaderValue("application/json")),
        };
        request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", token);
        using var response = await Http.SendAsync(request);
        return (int)response.StatusCode;
    }

    /// <summary>Passes questions on to the engine, slowly, and counts them.</summary>
    private sealed class CountingEngine(WebApplication app, string address, StrongBox<int> checks) : IAsyncDisposable
    {
        private readonly StrongBox<int> _checks = checks;

        public string Address => address;

        public int Checks => Volatile.Read(ref _checks.Value);

        public static async Task<CountingEngine> StartAsync(CubeSystem cube)
        {
            var checks = new StrongBox<int>();
            var builder = WebApplication.CreateBuilder();
            builder.Logging.ClearProviders();
            var app = builder.Build();
            app.Urls.Add("http://127.0.0.1:0");
            app.Run(async context =>
            {
                Interlocked.Increment(ref checks.Value);
                using var reader = new StreamReader(context.Request.Body);
                using var request = new HttpRequestMessage(HttpMethod.Post, new Uri(cube.Authorization, context.Request.Path)) { Content = new StringContent(await reader.ReadToEndAsync()) };
                request.Headers.TryAddWithoutValidation("Authorization", context.Request.Headers.Authorization.ToString());
                await Task.Delay(300);
                using var response = await Http.SendAsync(request);
                (context.Response.StatusCode, context.Response.ContentType) = ((int)response.StatusCode, "application/json");
                await context.Response.WriteAsync(await response.Content.ReadAsStringAsync());
            });
            await app.StartAsync();
            return new CountingEngine(app, app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.Single(), checks);
        }

        public ValueTask DisposeAsync() => app.DisposeAsync();
    }
}
