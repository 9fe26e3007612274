namespace Cube.Tests.Systems;

/// <summary>A system with a fake model server and the shortest lifetime of access tokens that Identity allows.</summary>
public sealed class ShortTokenSystem(PostgresServer postgres) : IAsyncLifetime
{
    public FakeBackend Backend { get; } = new();

    public CubeSystem Cube { get; private set; } = null!;

    public async ValueTask InitializeAsync()
    {
        await Backend.StartAsync();
        Cube = await CubeSystem.StartAsync(postgres, ("vllm", Backend.Address), new KeyValuePair<string, string>("Identity__AccessTokenLifetime", "00:00:10"));
    }

    public async ValueTask DisposeAsync()
    {
        await (Cube?.DisposeAsync() ?? default);
        await Backend.DisposeAsync();
    }
}
