namespace Cube.Tests.Systems;

/// <summary>A system with the guide model for tests that do not affect each other.</summary>
public sealed class GuideSystem(PostgresServer postgres) : IAsyncLifetime
{
    public CubeSystem Cube { get; private set; } = null!;

    public async ValueTask InitializeAsync() => Cube = await CubeSystem.StartAsync(postgres);

    public ValueTask DisposeAsync() => Cube?.DisposeAsync() ?? default;
}

/// <summary>A system with a fake model server whose responses the test sets.</summary>
public sealed class FakeBackendSystem(PostgresServer postgres) : IAsyncLifetime
{
    public PostgresServer Postgres => postgres;

    /// <summary>The origin of a web application that may call the proxy from a browser.</summary>
    public const string WebApplication = "http://localhost:5173";

    public FakeBackend Backend { get; } = new();

    public CubeSystem Cube { get; private set; } = null!;

    /// <summary>Restores the default responses of the fake model server.</summary>
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

/// <summary>A system with an agent, a further machine as a route target, and two proxies that share the database. The response text names the machine.</summary>
public sealed class RouteSystem(PostgresServer postgres) : IAsyncLifetime
{
    private readonly FakeBackend _backend = new();

    public CubeSystem Cube { get; private set; } = null!;

    /// <summary>The second proxy.</summary>
    public Uri Other { get; private set; } = null!;

    /// <summary>The access token of the seeded platform administrator.</summary>
    public string Administrator { get; private set; } = "";

    internal FaultyAttester Machine { get; private set; } = null!;

    public async ValueTask InitializeAsync()
    {
        _backend.Answer = static context => FakeBackend.JsonAsync(context, 200, Response("agent"));
        await _backend.StartAsync();
        Machine = await FaultyAttester.StartAsync();
        (Machine.Answer, Machine.Models) = (Response("machine"), ["m", "machine-only"]);
        Cube = await CubeSystem.StartAsync(postgres, ("vllm", _backend.Address));
        Other = await Cube.StartAnotherProxyAsync();
        Administrator = (await Cube.LoginAsync()).Access;
    }

    private static string Response(string machine) => FakeBackend.Chat.Replace("Hello.", machine, StringComparison.Ordinal);

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
public sealed class RouteCollectionDefinition : ICollectionFixture<RouteSystem>
{
    public const string Name = "routes";
}

[CollectionDefinition(Name)]
public sealed class GuideCollectionDefinition : ICollectionFixture<GuideSystem>
{
    public const string Name = "guide";
}

[CollectionDefinition(Name)]
public sealed class FakeBackendCollectionDefinition : ICollectionFixture<FakeBackendSystem>
{
    public const string Name = "fake";
}
