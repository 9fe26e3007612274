using System.ClientModel;
using System.Text.Json;
using Aspire.Hosting;
using Aspire.Hosting.Testing;
using Cube.Tests.Systems;
using OpenAI;

namespace Cube.AppHost.Tests;

/// <summary>The complete system, started by DCP on this host without containers.</summary>
[Collection(OneAtATime.Name)]
public sealed class SystemTests : IDisposable
{
    private readonly string _data = Directory.CreateTempSubdirectory("cube-system-").FullName;

    [Fact]
    public async Task The_testing_builder_starts_everything_and_the_SDK_streams_a_chat()
    {
        await using var builder = await DistributedApplicationTestingBuilder.CreateAsync<Projects.Cube_AppHost>(
            [$"--CUBE_DATA={_data}", "--CUBE_PORTS=0", "--CUBE_SERVERS=host", "--CUBE_BACKEND_KIND=guide", "--CUBE_ADMIN_PASSWORD=m2N2Lfno-admin"]);
        await using var app = await builder.BuildAsync();
        await app.StartAsync().WaitAsync(TimeSpan.FromSeconds(120));
        await app.ResourceNotifications.WaitForResourceHealthyAsync("proxy").WaitAsync(TimeSpan.FromSeconds(120));

        using var http = app.CreateHttpClient("proxy", "http");
        using var login = await http.PostAsync("/users/tokens/issue", System.Net.Http.Json.JsonContent.Create(new { username = "admin", password = "m2N2Lfno-admin" }));
        Assert.Equal(201, (int)login.StatusCode);
        var token = JsonElement.Parse(await login.Content.ReadAsStringAsync()).GetProperty("access_token").GetString()!;
        var file = Path.Combine(_data, "ready.json");
        await Eventually.TrueAsync(() => Task.FromResult(File.Exists(file)), "ready.json appears");
        var ready = JsonElement.Parse(await File.ReadAllTextAsync(file));

        var client = new OpenAIClient(new ApiKeyCredential(token), new OpenAIClientOptions
        {
            Endpoint = new Uri($"{ready.GetProperty("proxy").GetString()}/proxy/{ready.GetProperty("domain").GetString()}/v1"),
        });
        var text = "";
        await foreach (var update in client.GetChatClient("cube-guide").CompleteChatStreamingAsync("What is Cube?"))
        {
            text += string.Concat(update.ContentUpdate.Select(static part => part.Text));
        }

        Assert.Contains("cube-guide", text, StringComparison.Ordinal);
    }

    [FullFact]
    public async Task A_SpiceDB_program_makes_the_decisions_and_stores_data_in_Cubes_PostgreSQL()
    {
        var program = SpiceDbServer.ProgramOrSkip();
        for (var start = 0; start < 2; start++)
        {
            await using var cube = await RunningCube.StartAsync(_data, new KeyValuePair<string, string>("CUBE_SPICEDB_PROGRAM", program));
            // ready.json may appear before the test has read the last lines of the process.
            await Eventually.TrueAsync(() => Task.FromResult(cube.Process.Output.Contains("spicedb: SpiceDB of this host", StringComparison.Ordinal)), "the start message names SpiceDB", 10);
            var authorization = cube.Ready.GetProperty("authorization").GetString()!;
            Assert.NotEqual(cube.Ready.GetProperty("identity").GetString(), authorization);
            using var health = await cube.Http.GetAsync($"{authorization}/healthz");
            Assert.Equal(200, (int)health.StatusCode);
            var token = await cube.LoginAsync();
            Assert.Equal(200, (await cube.SendAsync(HttpMethod.Post, $"/proxy/{cube.Domain}/v1/chat/completions", token, new
            {
                model = "cube-guide", messages = (object[])[new { role = "user", content = "What is Cube?" }],
            })).Status);
            Assert.Equal(0, start == 0 && !OperatingSystem.IsWindows() ? await cube.InterruptAsync() : 0);
        }
    }

    [FullFact]
    public async Task Acknowledged_data_survives_Ctrl_C_a_restart_and_kill_9()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "There is no SIGINT on Windows.");
        int postgres;
        await using (var cube = await RunningCube.StartAsync(_data))
        {
            AssertReady(cube);
            Assert.Contains("password ", cube.Process.Output, StringComparison.Ordinal);
            var token = await cube.LoginAsync();
            Assert.Equal(201, (await cube.SendAsync(HttpMethod.Post, "/domains", token, new { name = "kept", route = "kept" })).Status);
            postgres = PostgresPid();
            Assert.Equal(0, await cube.InterruptAsync());
            Assert.False(File.Exists(Path.Combine(_data, "ready.json")));
            Assert.Throws<ArgumentException>(() => System.Diagnostics.Process.GetProcessById(postgres));
        }

        var again = await RunningCube.StartAsync(_data);
        var (_, list) = await again.SendAsync(HttpMethod.Get, "/domains?name=kept", await again.LoginAsync());
        Assert.Equal(1, list.GetProperty("total").GetInt32());
        Assert.DoesNotContain("  password ", again.Process.Output, StringComparison.Ordinal);
        await PostgresComesBackAsync(again);
        await KillEverythingAsync(again);
    }

    /// <summary>A killed program is restarted.</summary>
    private async Task PostgresComesBackAsync(RunningCube cube)
    {
        var token = await cube.LoginAsync();
        await KillAsync(PostgresPid());
        await Eventually.TrueAsync(async () =>
        {
            try
            {
                return (await cube.SendAsync(HttpMethod.Get, "/users/profile", token)).Status == 200;
            }
            catch (HttpRequestException)
            {
                return false;
            }
        }, "PostgreSQL is back", 60);
        Assert.Contains("postgres    ended unexpectedly", cube.Process.Output, StringComparison.Ordinal);
    }

    /// <summary>The AppHost and PostgreSQL are killed while users and domains are created; the next start has all acknowledged ones.</summary>
    private async Task KillEverythingAsync(RunningCube cube)
    {
        var acknowledged = new List<string>();
        var token = await cube.LoginAsync();
        using var stop = new CancellationTokenSource();
        var writers = Enumerable.Range(0, 4).Select(writer => Task.Run(() => WriteAsync(cube, token, writer, acknowledged, stop.Token))).ToArray();
        await Eventually.TrueAsync(() => Task.FromResult(Count(acknowledged) > 40), "users and domains are made");

        await KillAsync(PostgresPid());
        await KillAsync(cube.Process.Id);
        await stop.CancelAsync();
        await Task.WhenAll(writers);
        await cube.DisposeAsync();

        await using var after = await RunningCube.StartAsync(_data);
        token = await after.LoginAsync();
        foreach (var name in acknowledged)
        {
            var (status, body) = name.StartsWith('d')
                ? await after.SendAsync(HttpMethod.Post, "/domains", token, new { name, route = name })
                : await after.SendAsync(HttpMethod.Post, "/users", token, NewUser(name));
            Assert.True(status == 409, $"{name} was acknowledged but does not exist: {body}");
        }
    }

    [FullFact]
    public async Task Data_directories_are_independent_and_accept_one_instance_each()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "There is no SIGINT on Windows.");
        var (first, second) = (Path.Combine(_data, "first"), Path.Combine(_data, "second"));
        await using var one = await RunningCube.StartAsync(first);
        await using var two = await RunningCube.StartAsync(second, new KeyValuePair<string, string>("SpiceDb__PresharedKey", "a-key-to-try-the-engine-with"));
        Assert.NotEqual(one.Proxy, two.Proxy);
        var (mine, theirs) = (await one.LoginAsync(), await two.LoginAsync());
        Assert.Equal(200, (await one.SendAsync(HttpMethod.Get, "/users/profile", mine)).Status);
        Assert.Equal(401, (await two.SendAsync(HttpMethod.Get, "/users/profile", mine)).Status);
        Assert.Equal(200, (await two.SendAsync(HttpMethod.Get, "/users/profile", theirs)).Status);

        await using var third = RunningCube.Launch(first);
        Assert.Equal(1, await third.WaitForExitAsync());
        await Eventually.TrueAsync(
            () => Task.FromResult(third.Output.Contains($"The data directory {first} is used by another Cube", StringComparison.Ordinal)), $"it says so: {third.Output}", 5);
        Assert.True(File.Exists(Path.Combine(first, "ready.json")), "the ready file of the running instance must remain");

        // Without SpiceDB, the engine in Identity serves its API, and another key opens an empty store.
        Assert.Equal(404, await SchemaAsync("a-key-to-try-the-engine-with"));
        Assert.Equal(401, await SchemaAsync("a-key-that-is-none-at-all"));

        async Task<int> SchemaAsync(string key)
        {
            using var request = new HttpRequestMessage(HttpMethod.Post, $"{two.Ready.GetProperty("authorization").GetString()}/v1/schema/read") { Content = new StringContent("{}") };
            request.Headers.Authorization = new("Bearer", key);
            using var response = await two.Http.SendAsync(request);
            return (int)response.StatusCode;
        }
    }

    private void AssertReady(RunningCube cube)
    {
        var file = Path.Combine(_data, "ready.json");
        if (!OperatingSystem.IsWindows())
        {
            Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(file));
        }

        Assert.Equal(
            ["pid", "version", "proxy", "proxyHttps", "certificate", "identity", "guardrails", "agent", "authorization", "domain", "model", "backend", "attestation"],
            cube.Ready.EnumerateObject().Select(static member => member.Name));
        Assert.Equal(cube.Process.Id, cube.Ready.GetProperty("pid").GetInt32());
        Assert.True(Guid.TryParse(cube.Domain, out _));
        Assert.Equal("cube-guide", cube.Ready.GetProperty("model").GetString());
        Assert.Equal("simulated", cube.Ready.GetProperty("attestation").GetString());
        Assert.StartsWith("-----BEGIN CERTIFICATE-----", File.ReadAllText(cube.Ready.GetProperty("certificate").GetString()!), StringComparison.Ordinal);
    }

    private static async Task WriteAsync(RunningCube cube, string token, int writer, List<string> acknowledged, CancellationToken ct)
    {
        for (var i = 0; !ct.IsCancellationRequested; i++)
        {
            var name = $"{(i % 2 == 0 ? 'd' : 'u')}{writer}x{i}";
            try
            {
                var (status, _) = i % 2 == 0
                    ? await cube.SendAsync(HttpMethod.Post, "/domains", token, new { name, route = name })
                    : await cube.SendAsync(HttpMethod.Post, "/users", token, NewUser(name));
                if (status == 201)
                {
                    lock (acknowledged)
                    {
                        acknowledged.Add(name);
                    }
                }
            }
            catch (Exception exception) when (exception is HttpRequestException or JsonException)
            {
                // Not acknowledged.
                await Task.Delay(20, CancellationToken.None);
            }
        }
    }

    private static object NewUser(string name) => new
    {
        first_name = "A",
        last_name = "B",
        email = $"{name}@example.com",
        credentials = new { username = name, secret = "a good password" },
    };

    private static int Count(List<string> names)
    {
        lock (names)
        {
            return names.Count;
        }
    }

    private int PostgresPid()
    {
        var note = Path.Combine(_data, "postgres.path");
        var cluster = File.Exists(note) ? File.ReadAllText(note).Trim() : Path.Combine(_data, "postgres");
        return int.Parse(File.ReadLines(Path.Combine(cluster, "postmaster.pid")).First(), System.Globalization.CultureInfo.InvariantCulture);
    }

    private static async Task KillAsync(int pid)
    {
        await using var kill = ServiceProcess.Start("kill", "kill", ["-KILL", $"{pid}"], []);
        Assert.Equal(0, await kill.WaitForExitAsync());
    }

    public void Dispose()
    {
        var note = Path.Combine(_data, "postgres.path");
        if (File.Exists(note))
        {
            Directory.Delete(Path.GetDirectoryName(File.ReadAllText(note).Trim())!, recursive: true);
        }

        Directory.Delete(_data, recursive: true);
    }
}
