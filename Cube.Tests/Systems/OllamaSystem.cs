namespace Cube.Tests.Systems;

/// <summary>A system with the real Ollama and a small model.</summary>
public sealed class OllamaSystem(PostgresServer postgres) : IAsyncLifetime
{
    private OllamaServer? _ollama;
    private CubeSystem? _cube;

    public CubeSystem Cube
    {
        get
        {
            Assert.SkipUnless(_cube is not null, "Ollama is not installed. CUBE_TEST_BIN and CUBE_TEST_MODELS can name the folders of Ollama and of its model.");
            return _cube!;
        }
    }

    public async ValueTask InitializeAsync()
    {
        if (OllamaServer.IsAvailable)
        {
            _ollama = await OllamaServer.StartAsync();
            await _ollama.CreateAsync(OllamaServer.ToolsModel, "Modelfile.tools");
            _cube = await CubeSystem.StartAsync(postgres, ("ollama", _ollama.Address));
        }
    }

    public async ValueTask DisposeAsync()
    {
        await (_cube?.DisposeAsync() ?? default);
        await (_ollama?.DisposeAsync() ?? default);
    }
}

[CollectionDefinition(Name)]
public sealed class OllamaCollectionDefinition : ICollectionFixture<OllamaSystem>
{
    public const string Name = "ollama";
}
