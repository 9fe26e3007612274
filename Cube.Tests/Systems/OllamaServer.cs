using Cube.AppHost.Settings;

namespace Cube.Tests.Systems;

/// <summary>The real Ollama with a small model.</summary>
internal sealed class OllamaServer : IAsyncDisposable
{
    public const string Model = "smollm2:135m";

    /// <summary>The same weights with a template for tool calls.</summary>
    public const string ToolsModel = "smollm2-tools:latest";

    private readonly string _folder = Directory.CreateTempSubdirectory("cube-ollama-").FullName;
    private ServiceProcess? _process;

    public Uri Address { get; } = new($"http://127.0.0.1:{Ports.Free()}");

    public KeyValuePair<string, string>[] Environment =>
        [new("OLLAMA_HOST", Address.Authority), new("OLLAMA_MODELS", Path.Combine(_folder, "models")), new("OLLAMA_NO_CLOUD", "1"), new("HOME", _folder)];

    private static string Program => Path.Combine(TestFiles.Folder("CUBE_TEST_BIN", "bin"), "ollama", "bin", "ollama");

    private static string Models => TestFiles.Folder("CUBE_TEST_MODELS", "models");

    /// <summary>Whether the program and the model are installed.</summary>
    public static bool IsAvailable => OperatingSystem.IsLinux() && File.Exists(Program) && Directory.Exists(Models);

    public static async Task<OllamaServer> StartAsync()
    {
        var program = Program;
        var server = new OllamaServer();
        server._process = ServiceProcess.Start("ollama", program, ["serve"], server.Environment);
        using var http = new HttpClient(new SocketsHttpHandler());
        await Eventually.TrueAsync(async () =>
        {
            try
            {
                using var response = await http.GetAsync(server.Address);
                return response.IsSuccessStatusCode;
            }
            catch (HttpRequestException)
            {
                return false;
            }
        }, "Ollama answers");
        await server.CreateAsync(Model, "Modelfile");
        return server;
    }

    /// <summary>Creates a model from a file in the model folder. It uses one thread: several threads wait actively for one another, which is slow beside other tests.</summary>
    public async Task CreateAsync(string model, string file)
    {
        var definition = Path.Combine(_folder, file);
        var text = await File.ReadAllTextAsync(Path.Combine(Models, file));
        await File.WriteAllTextAsync(definition, $"{text.Replace("FROM ./", $"FROM {Path.GetFullPath(Models)}/", StringComparison.Ordinal)}\nPARAMETER num_thread 1\n");
        await using var create = ServiceProcess.Start("ollama", Program, ["create", model, "-f", definition], Environment);
        Assert.True(await create.WaitForExitAsync() == 0, create.Output);
    }

    public async ValueTask DisposeAsync()
    {
        if (_process is not null)
        {
            await _process.DisposeAsync();
        }

        Directory.Delete(_folder, recursive: true);
    }
}
