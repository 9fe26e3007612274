using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text.Json;
using Cube.Tests.Systems;

namespace Cube.AppHost.Tests;

/// <summary>The AppHost as a separate process with its own data directory.</summary>
internal sealed class RunningCube : IAsyncDisposable
{
    private RunningCube(ServiceProcess process, string data, JsonElement ready) => (Process, Data, Ready) = (process, data, ready);

    public ServiceProcess Process { get; }

    public string Data { get; }

    public JsonElement Ready { get; }

    public HttpClient Http { get; } = new(new SocketsHttpHandler());

    public string Proxy => Ready.GetProperty("proxy").GetString()!;

    public string Domain => Ready.GetProperty("domain").GetString()!;

    public static ServiceProcess Launch(string data, params KeyValuePair<string, string>[] settings) => ServiceProcess.Start(
        "apphost",
        "dotnet",
        [Path.Combine(AppContext.BaseDirectory, "Cube.AppHost.dll")],
        [new("CUBE_DATA", data), new("CUBE_PORTS", "0"), new("CUBE_SERVERS", "host"), new("CUBE_BACKEND_KIND", "guide"), new("CUBE_DASHBOARD", "false"), .. settings]);

    public static async Task<RunningCube> StartAsync(string data, params KeyValuePair<string, string>[] settings)
    {
        var process = Launch(data, settings);
        var file = Path.Combine(data, "ready.json");
        JsonElement ready = default;
        await Eventually.TrueAsync(async () =>
        {
            Assert.False(process.HasExited, process.Output);
            // A killed instance leaves its file behind until the next one starts.
            return File.Exists(file) && (ready = JsonElement.Parse(await File.ReadAllTextAsync(file))).GetProperty("pid").GetInt32() == process.Id;
        }, $"Cube is ready in {data}", 120);
        return new RunningCube(process, data, ready);
    }

    public async Task<string> LoginAsync()
    {
        var secrets = JsonElement.Parse(await File.ReadAllTextAsync(Path.Combine(Data, "secrets.json")));
        using var response = await Http.PostAsJsonAsync(
            $"{Proxy}/users/tokens/issue", new { username = "admin@example.com", password = secrets.GetProperty("admin-password").GetString() });
        response.EnsureSuccessStatusCode();
        return (await response.Content.ReadFromJsonAsync<JsonElement>()).GetProperty("access_token").GetString()!;
    }

    public async Task<(int Status, JsonElement Body)> SendAsync(HttpMethod method, string path, string token, object? body = null)
    {
        using var request = new HttpRequestMessage(method, Proxy + path) { Content = body is null ? null : JsonContent.Create(body) };
        request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", token);
        using var response = await Http.SendAsync(request);
        return ((int)response.StatusCode, JsonElement.Parse(await response.Content.ReadAsStringAsync()));
    }

    /// <summary>Sends SIGINT (Ctrl-C), or SIGTERM if the test process ignores SIGINT.</summary>
    public async Task<int> InterruptAsync()
    {
        await using var kill = ServiceProcess.Start("kill", "kill", [IgnoresInterrupt(Process.Id) ? "-TERM" : "-INT", $"{Process.Id}"], []);
        await kill.WaitForExitAsync();
        return await Process.WaitForExitAsync();
    }

    // SigIgn:	0000000000000002 is a mask whose second bit is SIGINT.
    private static bool IgnoresInterrupt(int pid) =>
        File.Exists($"/proc/{pid}/status")
        && File.ReadLines($"/proc/{pid}/status").FirstOrDefault(static line => line.StartsWith("SigIgn:", StringComparison.Ordinal)) is { } mask
        && (Convert.ToUInt64(mask["SigIgn:".Length..].Trim(), 16) & 2) != 0;

    public async ValueTask DisposeAsync()
    {
        // Kills the process if stopping is not tested; DCP detects it and stops the resources.
        await Process.DisposeAsync();
        Http.Dispose();
    }
}
