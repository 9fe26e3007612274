namespace Cube.Inference.Translation;

/// <summary>Optional features of model servers. The proxy rejects a request that needs a feature which the model server does not have.</summary>
[Flags]
public enum BackendFeatures
{
    None = 0,

    /// <summary>Several choices for one request (<c>n</c>).</summary>
    MultipleChoices = 1 << 0,

    /// <summary>Prompts and inputs as arrays of token ids.</summary>
    TokenInput = 1 << 1,

    /// <summary><c>logit_bias</c>.</summary>
    LogitBias = 1 << 2,

    /// <summary><c>logprobs</c> of <c>/v1/completions</c>.</summary>
    CompletionLogprobs = 1 << 3,

    /// <summary><c>suffix</c> of <c>/v1/completions</c>.</summary>
    Suffix = 1 << 4,

    /// <summary>Several text parts in the content of one message.</summary>
    TextParts = 1 << 5,

    /// <summary><c>tool_choice</c> and <c>parallel_tool_calls</c>.</summary>
    ToolChoice = 1 << 6,

    /// <summary>A prefix cache with <c>cache_salt</c>.</summary>
    PrefixCache = 1 << 7,

    /// <summary>Usage with each event of a stream.</summary>
    ContinuousUsage = 1 << 8,

    /// <summary>Transcriptions and translations.</summary>
    Audio = 1 << 9,

    /// <summary>The endpoints of Ollama's own API.</summary>
    OllamaApi = 1 << 10,

    /// <summary>vLLM's endpoints that OpenAI's API does not have.</summary>
    VllmApi = 1 << 11,
}
