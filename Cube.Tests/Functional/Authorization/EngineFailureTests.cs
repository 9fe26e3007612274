using Cube.Tests.Systems;

namespace Cube.Tests.Functional.Authorization;

/// <summary>Failures of the authorization engine and of Identity: no request is authorized meanwhile, and nothing is lost.</summary>
public sealed class EngineFailureTests(PostgresServer postgres)
{
    [Fact]
    public async Task While_the_engine_is_unavailable_every_request_is_rejected_and_nothing_changes()
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
            await cube.WaitUntilHealthyAsync(cube.Identity);
            await Eventually.TrueAsync(async () => (await cube.ChatAsync(tenant.Domain, tenant.Token)).Status == 200, "all is as before", 20);
            var (_, domains) = await cube.SendAsync(HttpMethod.Get, "/domains?limit=100", tenant.Token);
            string?[] names = [.. domains.GetProperty("domains").EnumerateArray().Select(static domain => domain.GetProperty("name").GetString())];
            Assert.Contains("pending", names);
            Assert.DoesNotContain("never", names);
            await AuthorizationSystem.EngineAgreesAsync(cube);
        }
    }

    [FullTheory]
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
            await cube.WaitUntilHealthyAsync(cube.Identity);
            await AuthorizationSystem.EngineAgreesAsync(cube);
        }

        if (spiceDb is { } server)
        {
            await server.Process.DisposeAsync();
        }
    }
}
