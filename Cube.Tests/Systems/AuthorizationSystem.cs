using System.Text.Json;
using Npgsql;

namespace Cube.Tests.Systems;

/// <summary>A system with three models at a fake model server, for both authorization engines.</summary>
public abstract class AuthorizationSystem(PostgresServer postgres) : IAsyncLifetime
{
    private CubeSystem? _cube;

    public FakeBackend Backend { get; } = new() { Models = ["m", "other:latest", "org/big:7b"] };

    public PostgresServer Postgres => postgres;

    public CubeSystem Cube
    {
        get
        {
            Assert.SkipUnless(_cube is not null, Missing);
            return _cube!;
        }
    }

    private protected EngineClient Engine => new(Cube.Authorization, Cube.EngineKey);

    /// <summary>Why the tests are skipped if the engine is not available.</summary>
    protected virtual string Missing => "";

    protected abstract Task<(bool IsAvailable, Uri? SpiceDb)> FindEngineAsync();

    public async ValueTask InitializeAsync()
    {
        var (isAvailable, spiceDb) = await FindEngineAsync();
        if (isAvailable)
        {
            await Backend.StartAsync();
            _cube = await CubeSystem.StartAsync(postgres, ("vllm", Backend.Address), spiceDb);
        }
    }

    /// <summary>Waits until the relationships in the engine equal those in the tables of Identity.</summary>
    public Task EngineAgreesAsync() => EngineAgreesAsync(Cube);

    public static async Task EngineAgreesAsync(CubeSystem cube)
    {
        await using var source = NpgsqlDataSource.Create($"{cube.Database};Pooling=false");
        var engine = new EngineClient(cube.Authorization, cube.EngineKey);
        string[] expected = [], actual = [];
        await Eventually.TrueAsync(async () =>
        {
            await using var query = source.CreateCommand(
                """
                select object_type || ':' || object_id || '#' || relation || '@' || subject_type || ':' || subject_id
                       || case subject_relation when '' then '' else '#' || subject_relation end from relations
                """);
            var rows = new List<string>();
            await using (var reader = await query.ExecuteReaderAsync())
            {
                while (await reader.ReadAsync())
                {
                    rows.Add(reader.GetString(0));
                }
            }

            expected = [.. rows.Order(StringComparer.Ordinal)];
            var all = new List<string>();
            foreach (var type in (string[])["platform", "domain", "role", "model", "token"])
            {
                all.AddRange(await engine.ReadAsync(new { resourceType = type }));
            }

            actual = [.. all.Order(StringComparer.Ordinal)];
            return expected.SequenceEqual(actual);
        }, "the relationships in the engine equal those in the tables", 10);
        Assert.NotEmpty(expected);
    }

    public async ValueTask DisposeAsync()
    {
        if (_cube is not null)
        {
            await _cube.DisposeAsync();
        }

        await Backend.DisposeAsync();
        GC.SuppressFinalize(this);
    }
}

public sealed class EmbeddedEngineSystem(PostgresServer postgres) : AuthorizationSystem(postgres)
{
    protected override Task<(bool IsAvailable, Uri? SpiceDb)> FindEngineAsync() => Task.FromResult<(bool, Uri?)>((true, null));
}

/// <summary>Runs at the full level. At the quick level, <see cref="Cube.Tests.Functional.Authorization.DifferentialTests"/> compares the two engines.</summary>
public sealed class SpiceDbSystem(PostgresServer postgres, SpiceDbServer spiceDb) : AuthorizationSystem(postgres)
{
    protected override string Missing => SpiceDbServer.Program is null ? "SpiceDB is not installed." : TestLevel.Skipped;

    protected override async Task<(bool IsAvailable, Uri? SpiceDb)> FindEngineAsync() => SpiceDbServer.Program is null || !TestLevel.IsFull ? (false, null) : (true, await spiceDb.AddressOrSkipAsync());
}

[CollectionDefinition(Name)]
public sealed class EmbeddedEngineCollectionDefinition : ICollectionFixture<EmbeddedEngineSystem>
{
    public const string Name = "embedded";
}

[CollectionDefinition(Name)]
public sealed class SpiceDbCollectionDefinition : ICollectionFixture<SpiceDbSystem>
{
    public const string Name = "spicedb";
}
