using Npgsql;

namespace Cube.Tests.Systems;

/// <summary>A system whose embedded engine has a second store for the tests.</summary>
public sealed class EngineSystem(PostgresServer postgres) : IAsyncLifetime
{
    private const string OtherKey = "another-key-for-trying-out";

    public CubeSystem Cube { get; private set; } = null!;

    internal async Task<EngineClient> EmptyStoreAsync()
    {
        await using var source = NpgsqlDataSource.Create($"{Cube.Database};Pooling=false");
        await using var empty = source.CreateCommand("delete from relation_tuples where store = 1; delete from relation_schemas where store = 1");
        await empty.ExecuteNonQueryAsync();
        return new EngineClient(Cube.Identity, OtherKey);
    }

    public async ValueTask InitializeAsync() => Cube = await CubeSystem.StartAsync(postgres, null, new KeyValuePair<string, string>("SpiceDb__PresharedKey", OtherKey));

    public ValueTask DisposeAsync() => Cube?.DisposeAsync() ?? default;
}

[CollectionDefinition(Name)]
public sealed class EngineCollectionDefinition : ICollectionFixture<EngineSystem>
{
    public const string Name = "engine";
}
