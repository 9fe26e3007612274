using System.Text.Json;

namespace Cube.Inference.Vllm;

/// <summary>Translates the responses of vLLM's endpoints that OpenAI's API does not have.</summary>
internal static class VllmResponseTranslator
{
    private static readonly string[] _scores = ["id", "object", "created", "model", "data", "usage"];

    public static KnownMembersTranslator Tokenize { get; } = new("count", "max_model_len", "tokens", "token_strs");

    public static KnownMembersTranslator Detokenize { get; } = new("prompt");

    /// <summary>Responses of pooling, classification and scoring.</summary>
    public static KnownMembersTranslator Scores { get; } = new(_scores);

    public static KnownMembersTranslator Rerank { get; } = new("id", "model", "results", "usage");
}
