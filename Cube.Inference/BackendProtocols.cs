using Cube.Inference.Guide;
using Cube.Inference.Ollama;
using Cube.Inference.Vllm;

namespace Cube.Inference;

/// <summary>The kinds of model servers that Cube knows. A new kind is one folder with its <see cref="BackendProtocol"/> and one line here.</summary>
public static class BackendProtocols
{
    public static BackendProtocol Ollama => OllamaProtocol.Instance;

    public static BackendProtocol Vllm => VllmProtocol.Instance;

    public static BackendProtocol Guide => GuideProtocol.Instance;

    public static IReadOnlyList<BackendProtocol> All { get; } = [Ollama, Vllm, Guide];

    /// <returns>Null for a kind that Cube does not know.</returns>
    public static BackendProtocol? Find(string? name) => All.FirstOrDefault(protocol => protocol.Name == name);
}
