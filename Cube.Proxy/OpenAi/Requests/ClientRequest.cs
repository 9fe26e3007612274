using System.Text.Json;

namespace Cube.Proxy.OpenAi.Requests;

/// <summary>What a client asked for, as far as its answer depends on it.</summary>
internal sealed class ClientRequest
{
    /// <summary>The model's name as the client wrote it: the answer carries it.</summary>
    public required string Model { get; init; }

    public bool IsStream { get; init; }

    /// <summary>The client wants to see the usage of a stream. The model server is always asked for it.</summary>
    public bool WantsUsage { get; init; }

    /// <summary>How many choices the answer has.</summary>
    public int Choices { get; init; } = 1;

    /// <summary>False where the client wants one tool call at most.</summary>
    public bool AllowsParallelCalls { get; init; } = true;

    public ToolChoice ToolChoice { get; init; }

    public static ClientRequest Of(JsonElement request, bool isStream) => new()
    {
        Model = request.GetProperty("model").GetString()!,
        IsStream = isStream,
        WantsUsage = request.Member("stream_options")?.Member("include_usage") is { ValueKind: JsonValueKind.True },
        Choices = request.Member("n") is { } n ? n.GetInt32() : 1,
        AllowsParallelCalls = request.Member("parallel_tool_calls") is not { ValueKind: JsonValueKind.False },
        ToolChoice = Tools.ChoiceOf(request),
    };
}
