using Cube.Tests.Attestation.Atls;

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

    /// <summary>The origin of a web application that may call the proxy from a browser.</summary>
    public const string WebApplication = "http://localhost:5173";

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
        Cube = await CubeSystem.StartAsync(postgres, ("vllm", Backend.Address), new KeyValuePair<string, string>("Proxy__Cors__Origins__0", WebApplication));
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

/// <summary>A system with an agent, and a machine beside it that routes may lead to: each says in its answers who it is. Two proxies share the database.</summary>
public sealed class RouteSystem(PostgresServer postgres) : IAsyncLifetime
{
    private readonly FakeBackend _backend = new();

    public CubeSystem Cube { get; private set; } = null!;

    /// <summary>The second proxy.</summary>
    public Uri Other { get; private set; } = null!;

    /// <summary>The first administrator's token.</summary>
    public string Administrator { get; private set; } = "";

    internal FaultyAttester Machine { get; private set; } = null!;

    public async ValueTask InitializeAsync()
    {
        _backend.Answer = static context => FakeBackend.JsonAsync(context, 200, Says("agent"));
        await _backend.StartAsync();
        Machine = await FaultyAttester.StartAsync();
        (Machine.Answer, Machine.Models) = (Says("machine"), ["m", "machine-only"]);
        Cube = await CubeSystem.StartAsync(postgres, ("vllm", _backend.Address));
        Other = await Cube.StartAnotherProxyAsync();
        Administrator = (await Cube.LoginAsync()).Access;
    }

    private static string Says(string who) => FakeBackend.Chat.Replace("Hello.", who, StringComparison.Ordinal);

    public async ValueTask DisposeAsync()
    {
        if (Cube is not null)
        {
            await Cube.DisposeAsync();
        }

        await _backend.DisposeAsync();
        await (Machine?.DisposeAsync() ?? default);
    }
}

[CollectionDefinition(Name)]
public sealed class SharesRoutes : ICollectionFixture<RouteSystem>
{
    public const string Name = "routes";
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
