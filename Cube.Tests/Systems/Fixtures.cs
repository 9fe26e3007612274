namespace Cube.Tests.Systems;

/// <summary>A system with the guide model, shared by the tests that change nothing others see.</summary>
public sealed class GuideSystem(PostgresServer postgres) : IAsyncLifetime
{
    public CubeSystem Cube { get; private set; } = null!;

    public async ValueTask InitializeAsync() => Cube = await CubeSystem.StartAsync(postgres);

    public ValueTask DisposeAsync() => Cube?.DisposeAsync() ?? default;
}

/// <summary>A system whose model server is a recording fake, that a test tells what to answer.</summary>
public sealed class FakeSystem(PostgresServer postgres) : IAsyncLifetime
{
    public PostgresServer Postgres => postgres;

    public FakeBackend Backend { get; } = new();

    public CubeSystem Cube { get; private set; } = null!;

    /// <summary>Forgets what the test before told the model server to answer.</summary>
    public CubeSystem Reset()
    {
        (Backend.Answer, Backend.Models) = (static context => FakeBackend.JsonAsync(context, 200, FakeBackend.Chat), ["m"]);
        return Cube;
    }

    public async ValueTask InitializeAsync()
    {
        await Backend.StartAsync();
        Cube = await CubeSystem.StartAsync(postgres, ("vllm", Backend.Address));
    }

    public async ValueTask DisposeAsync()
    {
        if (Cube is not null)
        {
            await Cube.DisposeAsync();
        }

        await Backend.DisposeAsync();
    }
}

[CollectionDefinition(Name)]
public sealed class SharesGuide : ICollectionFixture<GuideSystem>
{
    public const string Name = "guide";
}

[CollectionDefinition(Name)]
public sealed class SharesFake : ICollectionFixture<FakeSystem>
{
    public const string Name = "fake";
}
