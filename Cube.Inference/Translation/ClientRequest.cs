namespace Cube.Inference.Translation;

/// <summary>The properties of a request that its response depends on.</summary>
public sealed record ClientRequest
{
    /// <summary>The model's name as the client wrote it. The response contains it.</summary>
    public required string Model { get; init; }

    public bool IsStream { get; init; }

    /// <summary>Whether the client requested the usage in a stream (<c>include_usage</c>). The proxy always requests it from the model server.</summary>
    public bool IncludesUsage { get; init; }

    /// <summary>Number of choices in the response (<c>n</c>).</summary>
    public int Choices { get; init; } = 1;

    /// <summary>False if the response may have at most one tool call (<c>parallel_tool_calls</c>).</summary>
    public bool AllowsParallelCalls { get; init; } = true;

    public ToolChoice ToolChoice { get; init; }

    /// <summary>The default of <see cref="TokenLimitName"/>.</summary>
    public const string DefaultTokenLimitName = "max_tokens";

    /// <summary>The member by which the client limited the tokens of the response.</summary>
    public string TokenLimitName { get; init; } = DefaultTokenLimitName;

    /// <summary>The format of a transcription: json, text, srt, verbose_json or vtt.</summary>
    public string AudioFormat { get; init; } = "json";

    /// <summary>Whether the response has embeddings as base64 of little-endian 32-bit floats; otherwise as arrays of numbers.</summary>
    public bool UsesBase64 { get; init; }

    /// <summary>Members of the request that the response repeats: members of a JSON object, each preceded by a comma.</summary>
    public ReadOnlyMemory<byte> Echo { get; init; }
}
