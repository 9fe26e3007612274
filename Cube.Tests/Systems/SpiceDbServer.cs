using Cube.AppHost.Settings;

[assembly: AssemblyFixture(typeof(Cube.Tests.Systems.SpiceDbServer))]

namespace Cube.Tests.Systems;

/// <summary>The real SpiceDB in memory, with an empty store per key. The first test that uses it starts it.</summary>
public sealed class SpiceDbServer : IAsyncDisposable
{
    private readonly SemaphoreSlim _starting = new(1, 1);
    private ServiceProcess? _process;
    private Uri? _address;

    /// <returns>The path of the program; null if it is not installed.</returns>
    public static string? Program { get; } = Find();

    public static string ProgramOrSkip()
    {
        Assert.SkipUnless(Program is not null, "SpiceDB is not here; CUBE_TEST_BIN can name the folder that has it.");
        return Program!;
    }

    private static string? Find()
    {
        var program = Path.Combine(TestFiles.Folder("CUBE_TEST_BIN", "bin"), "spicedb");
        return OperatingSystem.IsLinux() && File.Exists(program) ? program : null;
    }

    /// <summary>The HTTP address; skips the test if the program is not installed.</summary>
    public async Task<Uri> AddressOrSkipAsync()
    {
        var program = ProgramOrSkip();
        await _starting.WaitAsync();
        try
        {
            if (_address is null)
            {
                (_process, _address) = await StartAsync(program);
            }

            return _address;
        }
        finally
        {
            _starting.Release();
        }
    }

    /// <summary>Starts a separate server, for a test that stops it.</summary>
    public static async Task<(ServiceProcess Process, Uri Address)> StartAsync(string program, int? port = null)
    {
        var (http, grpc) = (port ?? Ports.Free(), Ports.Free());
        var process = ServiceProcess.Start(
            "spicedb", program,
            ["serve-testing", "--grpc-addr", $"127.0.0.1:{grpc}", "--http-enabled", "--http-addr", $"127.0.0.1:{http}",
                "--readonly-http-enabled=false", "--readonly-grpc-enabled=false", "--skip-release-check=true", "--log-level", "error"],
            []);
        var address = new Uri($"http://127.0.0.1:{http}");
        using var client = new HttpClient(new SocketsHttpHandler());
        await Eventually.TrueAsync(async () =>
        {
            try
            {
                using var response = await client.GetAsync(new Uri(address, "/healthz"));
                return response.IsSuccessStatusCode;
            }
            catch (HttpRequestException)
            {
                return false;
            }
        }, "SpiceDB answers");
        return (process, address);
    }

    public async ValueTask DisposeAsync()
    {
        if (_process is not null)
        {
            await _process.DisposeAsync();
        }

        _starting.Dispose();
    }
}
