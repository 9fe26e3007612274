namespace Cube.Proxy.OpenAi;

/// <summary>Which model server is behind an agent; the agent says so in its model list.</summary>
internal enum BackendKind
{
    Ollama,
    Vllm,

    /// <summary>The guide model, which knows no more than Ollama.</summary>
    Guide,
}

internal static class BackendKinds
{
    /// <returns>Null for what this proxy does not know.</returns>
    public static BackendKind? Parse(string? name) => name switch
    {
        "ollama" => BackendKind.Ollama,
        "vllm" => BackendKind.Vllm,
        "guide" => BackendKind.Guide,
        _ => null,
    };
}
