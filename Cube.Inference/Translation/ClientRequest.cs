namespace Cube.Inference.Translation;

/// <summary>What a client asked for, as far as its answer depends on it.</summary>
public sealed record ClientRequest
{
    /// <summary>The model's name as the client wrote it: the answer carries it.</summary>
    public required string Model { get; init; }

    public bool IsStream { get; init; }

    /// <summary>The client wants to see the usage of a stream. The model server is always asked for it.</summary>
    public bool IncludesUsage { get; init; }

    /// <summary>How many choices the answer has.</summary>
    public int Choices { get; init; } = 1;

    /// <summary>False where the client wants one tool call at most.</summary>
    public bool AllowsParallelCalls { get; init; } = true;

    public ToolChoice ToolChoice { get; init; }

    /// <summary>The name under which most requests limit the tokens of an answer.</summary>
    public const string DefaultTokenLimitName = "max_tokens";

    /// <summary>The member by which the client limited the tokens of the answer.</summary>
    public string TokenLimitName { get; init; } = DefaultTokenLimitName;

    /// <summary>The format of a transcription: json, text, srt, verbose_json or vtt.</summary>
    public string AudioFormat { get; init; } = "json";

    /// <summary>Embeddings as base64 of 32-bit floats, the least byte first.</summary>
    public bool UsesBase64 { get; init; }

    /// <summary>What the answer repeats of the request: members of an object, each after a comma.</summary>
    public ReadOnlyMemory<byte> Echo { get; init; }
}
