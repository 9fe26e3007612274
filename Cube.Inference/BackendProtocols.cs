using Cube.Inference.Guide;
using Cube.Inference.Ollama;
using Cube.Inference.Vllm;

namespace Cube.Inference;

/// <summary>The supported kinds of model servers. To add a kind, add a folder with its <see cref="BackendProtocol"/> and one line here.</summary>
public static class BackendProtocols
{
    public static BackendProtocol Ollama => OllamaProtocol.Instance;

    public static BackendProtocol Vllm => VllmProtocol.Instance;

    public static BackendProtocol Guide => GuideProtocol.Instance;

    public static IReadOnlyList<BackendProtocol> All { get; } = [Ollama, Vllm, Guide];

    /// <returns>Null for an unknown kind.</returns>
    public static BackendProtocol? Find(string? name) => All.FirstOrDefault(protocol => protocol.Name == name);
}
