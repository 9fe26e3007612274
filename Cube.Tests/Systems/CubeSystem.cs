using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Security.Cryptography;
using System.Text.Json;
using System.Text.Json.Nodes;
using Cube.AppHost.Settings;

namespace Cube.Tests.Systems;

/// <summary>Identity, the agent and the proxy as three processes with real sockets and a real database, as the AppHost runs them.</summary>
public sealed class CubeSystem : IAsyncDisposable
{
    public const string AdminEmail = "admin@example.com";
    public const string AdminPassword = "m2N2Lfno-admin";

    private readonly List<ApiContract> _contracts = [];
    private readonly List<ServiceProcess> _processes = [];
    private readonly Dictionary<string, Dictionary<string, string>> _settings = [];

    private string? _administrator;

    private CubeSystem()
    {
    }

    public Uri Proxy { get; private set; } = null!;

    public Uri Identity { get; private set; } = null!;

    public string Database { get; private set; } = "";

    /// <summary>The database of the proxies.</summary>
    public string ProxyDatabase => _settings["Cube.Proxy"]["ConnectionStrings__proxy"];

    /// <summary>The base address of the authorization engine: SpiceDB or Identity.</summary>
    public Uri Authorization { get; private set; } = null!;

    /// <summary>The key of the store that this system uses in the engine.</summary>
    public string EngineKey { get; } = RandomNumberGenerator.GetHexString(32, lowercase: true);

    /// <summary>A client of the proxy without a credential.</summary>
    public HttpClient Http { get; private set; } = null!;

    /// <summary>The output of the three services.</summary>
    public string Logs => string.Join('\n', _processes.Select(static process => process.Output));

    /// <param name="postgres">The server to make a database on.</param>
    /// <param name="backend">The kind and the address of the model server; by default <c>guide</c> without an address.</param>
    /// <param name="settings">Further settings of all three services.</param>
    public static Task<CubeSystem> StartAsync(
        PostgresServer postgres, (string Kind, Uri? Url)? backend = null, params KeyValuePair<string, string>[] settings) =>
        StartAsync(postgres, backend, spiceDb: null, settings);

    /// <param name="postgres">The server to make databases on.</param>
    /// <param name="backend">The kind and the address of the model server; by default <c>guide</c> without an address.</param>
    /// <param name="spiceDb">A SpiceDB with a store for each key; null for the embedded engine.</param>
    /// <param name="settings">Further settings of all three services.</param>
    public static async Task<CubeSystem> StartAsync(
        PostgresServer postgres, (string Kind, Uri? Url)? backend, Uri? spiceDb, params KeyValuePair<string, string>[] settings)
    {
        var system = new CubeSystem();
        var (identity, agent, proxy) = (Ports.Free(), Ports.Free(), Ports.Free());
        system.Database = await postgres.CreateDatabaseAsync(typeof(Cube.Identity.Configuration.IdentityOptions).Assembly);
        (system.Identity, system.Proxy) = (new Uri($"http://127.0.0.1:{identity}"), new Uri($"http://127.0.0.1:{proxy}"));
        system.Authorization = spiceDb ?? system.Identity;
        var proxyDatabase = await postgres.CreateDatabaseAsync(typeof(Cube.Proxy.Edge.ProxyOptions).Assembly);
        system._settings["Cube.Identity"] = new()
        {
            ["ASPNETCORE_URLS"] = $"http://127.0.0.1:{identity}",
            ["ConnectionStrings__identity"] = system.Database,
            ["ConnectionStrings__notify"] = await postgres.CreateNotifyRoleAsync(proxyDatabase),
            ["Identity__KeyEncryptionSecret"] = "a secret of the tests",
            ["Identity__AdminEmail"] = AdminEmail,
            ["Identity__AdminPassword"] = AdminPassword,
            ["Identity__FirstDomain"] = "default",
        };
        system._settings["Cube.Agent"] = new()
        {
            ["ASPNETCORE_URLS"] = $"https://127.0.0.1:{agent}",
            ["Attestation__Platform"] = "simulated",
            ["Backend__Kind"] = backend?.Kind ?? "guide",
            ["Backend__Url"] = backend?.Url?.AbsoluteUri ?? "",
        };
        system._settings["Cube.Proxy"] = new()
        {
            ["ASPNETCORE_URLS"] = $"http://127.0.0.1:{proxy}",
            ["ConnectionStrings__proxy"] = proxyDatabase,
            ["services__identity__http__0"] = $"http://127.0.0.1:{identity}",
            ["services__agent__https__0"] = $"https://127.0.0.1:{agent}",
            ["Attestation__Simulated"] = "true",
            ["Attestation__FirstPolicy"] = """{"types":["simulated"]}""",
        };
        foreach (var service in system._settings.Values)
        {
            service["Authorization__Engine"] = spiceDb is null ? "embedded" : "spicedb";
            service["Authorization__Key"] = system.EngineKey;
            service["services__authorization__http__0"] = system.Authorization.GetLeftPart(UriPartial.Authority);
            foreach (var (key, value) in settings)
            {
                service[key] = value;
            }
        }

        system.Http = new HttpClient(new SocketsHttpHandler { UseCookies = false, AllowAutoRedirect = false }) { BaseAddress = system.Proxy };
        try
        {
            await system.StartServicesAsync();
        }
        catch
        {
            await system.DisposeAsync();
            throw;
        }

        return system;
    }

    private async Task StartServicesAsync()
    {
        foreach (var project in _settings.Keys)
        {
            StartService(project);
        }

        await WaitUntilHealthyAsync(Identity);
        await WaitUntilHealthyAsync(Proxy);
        foreach (var document in (string[])["/openapi/v1.json", "/openapi/identity.json"])
        {
            _contracts.Add(new ApiContract(JsonNode.Parse(await Http.GetStringAsync(document))!.AsObject()));
        }
    }

    /// <summary>Starts a further proxy with separate caches.</summary>
    public Task<Uri> StartAnotherProxyAsync(params KeyValuePair<string, string>[] settings) => StartProxyAtAsync(new Uri($"http://127.0.0.1:{Ports.Free()}"), settings);

    public async Task<Uri> StartProxyAtAsync(Uri address, params KeyValuePair<string, string>[] settings)
    {
        Dictionary<string, string> all = new(_settings["Cube.Proxy"]) { ["ASPNETCORE_URLS"] = address.GetLeftPart(UriPartial.Authority) };
        foreach (var (key, value) in settings)
        {
            all[key] = value;
        }

        _processes.Add(ServiceProcess.StartService("Cube.Proxy", all));
        await WaitUntilHealthyAsync(address);
        return address;
    }

    public ServiceProcess this[string project] => _processes.Last(process => process.Name == project);

    /// <summary>Restarts a service that has ended, at the same address.</summary>
    public void Restart(string project)
    {
        _processes.RemoveAll(process => process.Name == project && process.HasExited);
        StartService(project);
    }

    public void StartService(string project) => _processes.Add(ServiceProcess.StartService(project, _settings[project]));

    public Task WaitUntilHealthyAsync(Uri service) => Eventually.TrueAsync(async () =>
    {
        var dead = _processes.FirstOrDefault(static process => process.HasExited);
        Assert.True(dead is null, $"{dead?.Name} ended: {dead?.Output}");
        try
        {
            using var response = await Http.GetAsync(new Uri(service, "/health"));
            return response.IsSuccessStatusCode;
        }
        catch (HttpRequestException)
        {
            return false;
        }
    }, $"{service} is healthy");

    public async Task<Tokens> LoginAsync(string name = AdminEmail, string password = AdminPassword)
    {
        using var response = await Http.PostAsJsonAsync("/users/tokens/issue", new { username = name, password });
        Assert.Equal(201, (int)response.StatusCode);
        var json = await response.Content.ReadFromJsonAsync<JsonElement>();
        return new Tokens(json.GetProperty("access_token").GetString()!, json.GetProperty("refresh_token").GetString()!);
    }

    /// <summary>Creates a verified user and a domain that the user administers.</summary>
    public async Task<Tenant> CreateTenantAsync(string? password = null)
    {
        var user = await CreateUserAsync(password);
        var (status, domain) = await SendAsync(HttpMethod.Post, "/domains", user.Token, new { name = $"Domain of {user.Name}", route = user.Name });
        Assert.Equal(201, status);
        return user with { Domain = domain.GetProperty("id").GetGuid() };
    }

    public async Task<Tenant> CreateUserAsync(string? password = null)
    {
        password ??= "a good password";
        var name = $"user{RandomNumberGenerator.GetHexString(10, lowercase: true)}";
        var body = new { first_name = "Ada", last_name = "Test", email = $"{name}@example.com", credentials = new { username = name, secret = password } };
        // A login takes a tenth of a second of processor time, so the token is reused until it expires.
        _administrator ??= (await LoginAsync()).Access;
        var (status, user) = await SendAsync(HttpMethod.Post, "/users", _administrator, body);
        if (status == 401)
        {
            _administrator = (await LoginAsync()).Access;
            (status, user) = await SendAsync(HttpMethod.Post, "/users", _administrator, body);
        }

        Assert.Equal(201, status);
        var tokens = await LoginAsync(name, password);
        return new Tenant(user.GetProperty("id").GetGuid(), name, password, tokens, Guid.Empty);
    }

    /// <summary>Sends a request to the proxy. The body of a response without JSON is undefined.</summary>
    public async Task<(int Status, JsonElement Body)> SendAsync(HttpMethod method, string path, string? token, object? body = null)
    {
        using var response = await SendRawAsync(method, path, token, body);
        var text = await response.Content.ReadAsStringAsync();
        var (status, json) = ((int)response.StatusCode, text.Length == 0 ? default : JsonElement.Parse(text));
        foreach (var contract in _contracts)
        {
            contract.Check(method.Method, path, status, json);
        }

        return (status, json);
    }

    public async Task<HttpResponseMessage> SendRawAsync(HttpMethod method, string path, string? token, object? body = null)
    {
        using var request = new HttpRequestMessage(method, path);
        if (token is not null)
        {
            request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", token);
        }

        if (body is not null)
        {
            request.Content = body as HttpContent ?? JsonContent.Create(body);
        }

        return await Http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);
    }

    public async ValueTask DisposeAsync()
    {
        Http?.Dispose();
        foreach (var process in _processes)
        {
            await process.DisposeAsync();
        }
    }
}

public sealed record Tokens(string Access, string Refresh);

public sealed record Tenant(Guid UserId, string Name, string Password, Tokens Tokens, Guid Domain)
{
    public string Token => Tokens.Access;

    public string Api => $"/proxy/{Domain}/v1";
}
