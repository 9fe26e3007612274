using System.Globalization;
using System.Net;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text;
using System.Text.Json;
using Cube.AppHost.Postgres;
using Cube.AppHost.Settings;
using Npgsql;

namespace Cube.Benchmarks.Load;

/// <summary>
/// The processes of one comparison: Cube (PostgreSQL, Identity, the agent with simulated evidence, the proxy), bare YARP and the mock backend. The proxy and YARP have the core <see cref="ProxyCore"/> to
/// themselves, since they are not used at the same time; everything else, this process included, runs on the core <see cref="OtherCore"/>.
/// </summary>
internal sealed class LoadSystem : IAsyncDisposable
{
    public const int ProxyCore = 0;
    public const int OtherCore = 1;
    private const string AdminEmail = "admin@example.com";
    private const string AdminPassword = "m2N2Lfno-admin";

    private readonly string _folder = Directory.CreateTempSubdirectory("cube-load-").FullName;
    private readonly List<LoadProcess> _processes = [];
    private readonly HttpClient _http = new(new SocketsHttpHandler { UseProxy = false, PooledConnectionIdleTimeout = TimeSpan.FromSeconds(30) }) { Timeout = TimeSpan.FromMinutes(2) };
    private string _token = "";

    public LoadProcess Proxy { get; private set; } = null!;

    public LoadProcess Agent { get; private set; } = null!;

    public LoadProcess Yarp { get; private set; } = null!;

    public IPEndPoint ProxyAddress { get; } = new(IPAddress.Loopback, Ports.Free());

    public IPEndPoint YarpAddress { get; } = new(IPAddress.Loopback, Ports.Free());

    /// <summary>The domains that exist, all with the same administrator.</summary>
    public List<Guid> Domains { get; } = [];

    public IReadOnlyList<LoadProcess> Processes => _processes;

    public static async Task<LoadSystem> StartAsync(CancellationToken ct)
    {
        var system = new LoadSystem();
        try
        {
            await system.StartProcessesAsync(ct);
            return system;
        }
        catch
        {
            await system.DisposeAsync();
            throw;
        }
    }

    /// <summary>A chat completion of about 750 bytes.</summary>
    /// <param name="domain">The domain of the caller.</param>
    /// <param name="events">The number of events; 0 for a response in JSON.</param>
    /// <param name="isPaced">Whether a second passes between events.</param>
    public byte[] Chat(Guid domain, int events = 0, bool isPaced = false)
    {
        var text = string.Concat(Enumerable.Repeat("How does an agent prove what it runs? ", 13));
        var stream = events == 0 ? "" : $$""","stream":true,"max_tokens":{{events}}""";
        var body = $$"""{"model":"{{(isPaced ? MockBackend.PacedModel : MockBackend.Model)}}","messages":[{"role":"system","content":"Answer briefly."},{"role":"user","content":"{{text}}"}],"temperature":0.2{{stream}}}""";
        return Encoding.ASCII.GetBytes(
            $"POST /proxy/{domain}/v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {_token}\r\nContent-Type: application/json\r\nAccept: application/json\r\nUser-Agent: OpenAI/Python 2.15.0\r\nX-Stainless-Lang: python\r\nContent-Length: {body.Length}\r\n\r\n{body}");
    }

    /// <summary>Creates domains until there are <paramref name="count"/>.</summary>
    public async Task AddDomainsAsync(int count, CancellationToken ct) =>
        await Parallel.ForAsync(Domains.Count, count, new ParallelOptions { MaxDegreeOfParallelism = 8, CancellationToken = ct }, async (i, cancel) =>
        {
            var id = (await PostAsync("/domains", new { name = $"Domain {i}", route = $"load-{i}" }, cancel)).GetProperty("id").GetGuid();
            lock (Domains)
            {
                Domains.Add(id);
            }
        });

    /// <summary>Creates routes that no request of the benchmark matches. They come before the default route.</summary>
    public async Task AddRoutesAsync(int from, int to, CancellationToken ct)
    {
        for (var i = from; i < to; i++)
        {
            var matcher = (i % 3) switch
            {
                0 => new { condition = "header", field = "x-team", pattern = $"team-{i}", is_regex = false },
                1 => new { condition = "body_field", field = "model", pattern = $"model-{i}", is_regex = false },
                _ => new { condition = "path", field = "", pattern = $"/v1/team-{i}", is_regex = false },
            };
            await PostAsync("/api/routes", new { name = $"load-{i}", target_url = "https://agent", matchers = new[] { matcher }, priority = i % 1000 }, ct);
        }
    }

    /// <summary>Logs in again. Access tokens are valid for an hour.</summary>
    private async Task LoginAsync(CancellationToken ct) =>
        _token = (await PostAsync("/users/tokens/issue", new { username = AdminEmail, password = AdminPassword }, ct)).GetProperty("access_token").GetString()!;

    private async Task<JsonElement> PostAsync(string path, object body, CancellationToken ct)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, $"http://{ProxyAddress}{path}") { Content = JsonContent.Create(body) };
        if (_token.Length > 0)
        {
            request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", _token);
        }

        using var response = await _http.SendAsync(request, ct);
        var text = await response.Content.ReadAsStringAsync(ct);
        return response.IsSuccessStatusCode ? JsonElement.Parse(text) : throw new InvalidOperationException($"{path} responded with {(int)response.StatusCode}: {text}");
    }

    private async Task StartProcessesAsync(CancellationToken ct)
    {
        var (mock, mockTls, identity, agent) = (Ports.Free(), Ports.Free(), Ports.Free(), Ports.Free());
        var (identityDatabase, proxyDatabase, notify) = await StartPostgresAsync(ct);
        StartSelf("mock", OtherCore, "mock", [mock, mockTls], []);
        // The default of .NET, instead of the setting of this program, which is Cube's. The number is hexadecimal.
        Yarp = StartSelf("yarp", ProxyCore, "yarp", [YarpAddress.Port, mockTls], new() { ["DOTNET_TC_CallCountingDelayMs"] = "64" });
        Dictionary<string, string> shared = new()
        {
            // Simulated evidence is not allowed in Production.
            ["ASPNETCORE_ENVIRONMENT"] = "Staging",
            ["Authorization__Engine"] = "embedded",
            ["Authorization__Key"] = "a-key-of-the-benchmark",
            ["services__authorization__http__0"] = $"http://127.0.0.1:{identity}",
        };
        StartService("Cube.Identity", OtherCore, new(shared)
        {
            ["ASPNETCORE_URLS"] = $"http://127.0.0.1:{identity}",
            ["ConnectionStrings__identity"] = identityDatabase,
            ["ConnectionStrings__notify"] = notify,
            ["Identity__KeyEncryptionSecret"] = "a secret of the benchmark",
            ["Identity__AdminEmail"] = AdminEmail,
            ["Identity__AdminPassword"] = AdminPassword,
            ["Identity__FirstDomain"] = "default",
        });
        Agent = StartService("Cube.Agent", OtherCore, new(shared)
        {
            ["ASPNETCORE_URLS"] = $"https://127.0.0.1:{agent}",
            ["Attestation__Platform"] = "simulated",
            ["Backend__Kind"] = "vllm",
            ["Backend__Url"] = $"http://127.0.0.1:{mock}",
        });
        Proxy = StartService("Cube.Proxy", ProxyCore, new(shared)
        {
            ["ASPNETCORE_URLS"] = $"http://{ProxyAddress}",
            ["ConnectionStrings__proxy"] = proxyDatabase,
            ["services__identity__http__0"] = $"http://127.0.0.1:{identity}",
            ["services__agent__https__0"] = $"https://127.0.0.1:{agent}",
            ["Attestation__Simulated"] = "true",
            ["Attestation__FirstPolicy"] = """{"types":["simulated"]}""",
        });
        await WaitAsync($"http://127.0.0.1:{identity}/health", ct);
        await WaitAsync($"http://{ProxyAddress}/health", ct);
        await WaitAsync($"http://{YarpAddress}/v1/models", ct);
        await LoginAsync(ct);
    }

    private async Task<(string Identity, string Proxy, string Notify)> StartPostgresAsync(CancellationToken ct)
    {
        if (!OperatingSystem.IsWindows())
        {
            File.SetUnixFileMode(_folder, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute | UnixFileMode.OtherExecute);
        }

        var port = Ports.Free();
        using var data = DataDirectory.Open(Path.Combine(_folder, "data"));
        var postgres = await HostPostgres.PrepareAsync(data, "secret", TextWriter.Null);
        var (program, arguments) = postgres.Command(
            postgres.Programs["postgres"], "-D", postgres.Cluster, "-p", port.ToString(CultureInfo.InvariantCulture), "-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=", "-c", "fsync=off");
        _processes.Add(new LoadProcess("postgres", _folder, OtherCore, [program, .. arguments], []));
        var server = $"Host=127.0.0.1;Port={port};Username={HostPostgres.User};Password=secret";
        await using var source = NpgsqlDataSource.Create($"{server};Database=postgres;Pooling=false;Timeout=2");
        for (var attempt = 0; ; attempt++)
        {
            try
            {
                await using var connection = await source.OpenConnectionAsync(ct);
                break;
            }
            catch (NpgsqlException) when (attempt < 100)
            {
                await Task.Delay(100, ct);
            }
        }

        foreach (var statement in (string[])["create database identity", "create database proxy", "create role cube_notify login password 'notify'"])
        {
            await using var command = source.CreateCommand(statement);
            await command.ExecuteNonQueryAsync(ct);
        }

        return ($"{server};Database=identity", $"{server};Database=proxy", $"Host=127.0.0.1;Port={port};Username=cube_notify;Password=notify;Database=proxy");
    }

    private LoadProcess StartService(string project, int core, Dictionary<string, string> settings) => Start(
        project, core, ["dotnet", Path.Combine(AppContext.BaseDirectory, $"{project}.dll")], settings);

    private LoadProcess StartSelf(string name, int core, string role, int[] ports, Dictionary<string, string> settings) => Start(
        name, core, ["dotnet", typeof(LoadSystem).Assembly.Location, "load", role, .. ports.Select(static port => port.ToString(CultureInfo.InvariantCulture))], settings);

    private LoadProcess Start(string name, int core, string[] command, Dictionary<string, string> settings)
    {
        var process = new LoadProcess(name, _folder, core, command, settings);
        _processes.Add(process);
        return process;
    }

    private async Task WaitAsync(string address, CancellationToken ct)
    {
        for (var attempt = 0; ; attempt++)
        {
            _processes.ForEach(static process => process.ThrowIfEnded());
            try
            {
                using var response = await _http.GetAsync(new Uri(address), ct);
                if (response.IsSuccessStatusCode)
                {
                    return;
                }
            }
            catch (HttpRequestException) when (attempt < 600)
            {
                // The service is starting.
            }

            if (attempt >= 600)
            {
                throw new InvalidOperationException($"{address} is not healthy after a minute.");
            }

            await Task.Delay(100, ct);
        }
    }

    public async ValueTask DisposeAsync()
    {
        _http.Dispose();
        for (var i = _processes.Count - 1; i >= 0; i--)
        {
            _processes[i].Dispose();
        }

        await Task.Yield();
        if (Environment.GetEnvironmentVariable("CUBE_LOAD_KEEP") is null)
        {
            Directory.Delete(_folder, recursive: true);
        }
    }
}
