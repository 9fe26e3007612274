namespace Cube.Tests.Systems;

/// <summary>Two systems, one with a replayed Ollama and one with a replayed vLLM, with short timeouts.</summary>
public sealed class ReplaySystem(PostgresServer postgres) : IAsyncLifetime
{
    private readonly Dictionary<string, (CubeSystem Cube, ReplayServer Server, Tenant Tenant)> _systems = [];

    public (CubeSystem Cube, ReplayServer Server, Tenant Tenant) this[string kind] => _systems[kind];

    public async ValueTask InitializeAsync()
    {
        foreach (var kind in (string[])["ollama", "vllm"])
        {
            var server = new ReplayServer();
            server.Models = [.. server.Models.Concat(Recording.All.Where(recording => recording.Kind == kind && recording.Status != 404).Select(static recording => recording.Model).OfType<string>()).Distinct()];
            var cube = await CubeSystem.StartAsync(
                postgres, (kind, server.Address), new KeyValuePair<string, string>("Proxy__StreamIdleTimeout", "00:00:02"), new KeyValuePair<string, string>("Proxy__ActivityTimeout", "00:00:03"));
            _systems[kind] = (cube, server, await cube.CreateTenantAsync());
        }
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var (cube, server, _) in _systems.Values)
        {
            await cube.DisposeAsync();
            await server.DisposeAsync();
        }
    }
}

[CollectionDefinition(Name)]
public sealed class ReplayCollectionDefinition : ICollectionFixture<ReplaySystem>
{
    public const string Name = "replay";
}
