using System.Globalization;
using Cube.AppHost.Hosting;
using Cube.AppHost.Settings;

namespace Cube.AppHost.Models;

/// <summary>The model server: configured, a container, a program of this host, or the guide model.</summary>
/// <param name="Kind">Value of the agent's setting <c>Backend:Kind</c>.</param>
/// <param name="Description">Description for the start message.</param>
internal sealed record ModelServer(string Kind, string Description)
{
    private const string DefaultModel = "smollm2:135m";
    private static readonly Uri UsualOllama = new("http://127.0.0.1:11434");

    /// <summary>Base address; null for the guide model.</summary>
    public ReferenceExpression? Url { get; init; }

    /// <summary>The resource that must be healthy before the agent starts.</summary>
    public IResourceBuilder<IResource>? WaitFor { get; init; }

    /// <summary>Selects the first available: a configured address, a container, a program of this host, the guide model.</summary>
    /// <exception cref="StartupException">The configured kind of server is not available.</exception>
    public static async Task<ModelServer> AddAsync(CubeBuilder cube)
    {
        var (builder, settings) = (cube.Builder, cube.Settings);
        if (settings.BackendUrl is { } url)
        {
            return new ModelServer(settings.BackendKind, $"as configured, at {url}") { Url = ReferenceExpression.Create($"{url.AbsoluteUri}") };
        }

        if (settings.BackendKind == "guide")
        {
            return Guide;
        }

        var containers = builder.ExecutionContext.IsPublishMode || await cube.HasContainersAsync();
        if (settings.BackendKind == "vllm")
        {
            return containers
                ? AddVllmContainer(cube)
                : throw new StartupException("CUBE_BACKEND_KIND=vllm needs CUBE_BACKEND_URL or a running container runtime.");
        }

        if (containers)
        {
            return AddOllamaContainer(cube);
        }

        return await FindRunningOllamaAsync() ?? AddOllamaProgram(cube)
            ?? (settings.BackendKind == "ollama"
                ? throw new StartupException("CUBE_BACKEND_KIND=ollama, but this host has no Ollama with a model: run 'ollama pull' or set CUBE_BACKEND_URL.")
                : Guide);
    }

    private static ModelServer Guide { get; } = new("guide", "the built-in guide; no model server found");

    private static ModelServer AddOllamaContainer(CubeBuilder cube)
    {
        var ollama = cube.Builder.AddOllama("ollama").WithDataVolume(cube.VolumeName("ollama"));
        return new ModelServer("ollama", "container")
        {
            Url = ReferenceExpression.Create($"{ollama.GetEndpoint(OllamaResource.EndpointName).Property(EndpointProperty.Url)}"),
            // In a deployment, the operator pulls the models.
            WaitFor = cube.Builder.ExecutionContext.IsPublishMode ? ollama : ollama.AddModel("model", cube.Settings.Model ?? DefaultModel),
        };
    }

    private static ModelServer AddVllmContainer(CubeBuilder cube)
    {
        var model = cube.Settings.Model ?? throw new StartupException("CUBE_BACKEND_KIND=vllm without CUBE_BACKEND_URL needs CUBE_MODEL, the model that the container serves.");
        var vllm = cube.Builder.AddContainer("vllm", "vllm/vllm-openai", "v0.32.0")
            .WithImageRegistry("docker.io")
            .WithHttpEndpoint(targetPort: 8000, name: "http")
            .WithHttpHealthCheck("/health")
            .WithVolume(cube.VolumeName("vllm"), "/root/.cache/huggingface")
            .WithContainerRuntimeArgs("--gpus", "all")
            .WithArgs("--model", model, "--gpu-memory-utilization", "0.85", "--max-model-len", "1024");
        return new ModelServer("vllm", "container")
        {
            Url = ReferenceExpression.Create($"{vllm.GetEndpoint("http").Property(EndpointProperty.Url)}"),
            WaitFor = vllm,
        };
    }

    private static async Task<ModelServer?> FindRunningOllamaAsync()
    {
        using var client = new ModelServerClient(UsualOllama);
        try
        {
            return (await client.ModelsAsync(default)).Count > 0
                ? new ModelServer("ollama", $"Ollama at {UsualOllama.Authority}") { Url = ReferenceExpression.Create($"{UsualOllama.AbsoluteUri}") }
                : null;
        }
        catch (HttpRequestException)
        {
            return null;
        }
    }

    /// <summary>Starts Ollama from the <c>PATH</c> on a free port, if it has a model.</summary>
    private static ModelServer? AddOllamaProgram(CubeBuilder cube)
    {
        if (Commands.Find("ollama") is not { } program || !HasModel())
        {
            return null;
        }

        var port = Ports.Free();
        var ollama = cube.Builder.AddExecutable("ollama", program, cube.Data.Path, "serve")
            .WithHttpEndpoint(port: port, targetPort: port, name: "http", isProxied: false)
            .WithEnvironment("OLLAMA_HOST", string.Create(CultureInfo.InvariantCulture, $"127.0.0.1:{port}"))
            .WithEnvironment("OLLAMA_NO_CLOUD", "1")
            .WithHttpHealthCheck("/")
            .ExcludeFromManifest();
        return new ModelServer("ollama", "Ollama of this host")
        {
            Url = ReferenceExpression.Create($"{ollama.GetEndpoint("http").Property(EndpointProperty.Url)}"),
            WaitFor = ollama,
        };
    }

    private static bool HasModel()
    {
        var models = Environment.GetEnvironmentVariable("OLLAMA_MODELS") is { Length: > 0 } folder
            ? folder
            : Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".ollama", "models");
        var manifests = Path.Combine(models, "manifests");
        return Directory.Exists(manifests) && Directory.EnumerateFiles(manifests, "*", SearchOption.AllDirectories).Any();
    }
}
