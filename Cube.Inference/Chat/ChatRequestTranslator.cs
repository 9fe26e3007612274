using System.Text.Json;
using Cube.Inference.Images;

namespace Cube.Inference.Chat;

/// <summary>Translates requests to <c>POST /v1/chat/completions</c>.</summary>
internal sealed class ChatRequestTranslator : JsonRequestTranslator
{
    public static readonly FieldCheck CheckEffort = FieldChecks.OneOf("none", "minimal", "low", "medium", "high", "xhigh", "max");

    public static ChatRequestTranslator Instance { get; } = new();

    internal override FieldRules Rules { get; } = RulesOf(
    [
        .. Sampling.Rules,
        ("messages", FieldRule.Translate(ChatMessages.Check).WithMembers(ChatMembers.Message)),
        ("max_tokens", FieldRule.Translate(FieldChecks.Integer(1, int.MaxValue))),
        ("max_completion_tokens", FieldRule.Translate(FieldChecks.Integer(1, int.MaxValue))),
        ("logprobs", FieldRule.Pass(FieldChecks.Boolean)),
        ("top_logprobs", FieldRule.Pass(FieldChecks.Integer(0, 20))),
        ("tools", FieldRule.Translate(ChatTools.Check).WithMembers(ChatMembers.Tool)),
        ("tool_choice", FieldRule.Translate(ChatTools.CheckChoice).WithMembers(ChatMembers.ToolChoice)),
        ("parallel_tool_calls", FieldRule.Translate(FieldChecks.Boolean)),
        ("response_format", FieldRule.Translate(ResponseFormat.Check).WithMembers(ChatMembers.ResponseFormat)),
        ("reasoning_effort", FieldRule.Translate(CheckEffort)),
        ("modalities", FieldRule.Drop(CheckModalities)),
        ("store", FieldRule.Drop(FieldChecks.UnsupportedTrue)),
        ("metadata", FieldRule.Drop(FieldChecks.Object)),
        ("service_tier", FieldRule.Drop(FieldChecks.String)),
        ("prediction", FieldRule.Drop(FieldChecks.Object)),
        ("verbosity", FieldRule.Drop(FieldChecks.String)),
        ("safety_identifier", FieldRule.Drop(FieldChecks.String)),
        ("prompt_cache_key", FieldRule.Drop(FieldChecks.String)),
        ("prompt_cache_retention", FieldRule.Drop(FieldChecks.String)),
        ("audio", FieldRule.Reject),
        ("web_search_options", FieldRule.Reject),
        ("functions", FieldRule.Reject),
        ("function_call", FieldRule.Reject),
    ]);

    internal override ClientRequest Read(JsonElement request) => Sampling.Read(request, base.Read(request)) with
    {
        AllowsParallelCalls = request.Member("parallel_tool_calls") is not { ValueKind: JsonValueKind.False },
        ToolChoice = ChatTools.ChoiceOf(request),
        TokenLimitName = TokenLimitNameOf(request),
    };

    /// <summary>If the request has both limits, the smaller one applies.</summary>
    private static string TokenLimitNameOf(JsonElement request) =>
        request.Member("max_completion_tokens") is { } newer && (request.Member("max_tokens") is not { } older || newer.GetInt32() < older.GetInt32())
            ? "max_completion_tokens"
            : ClientRequest.DefaultTokenLimitName;

    internal override void CheckMembers(JsonElement request)
    {
        request.Required("messages", "messages");
        Sampling.CheckStreamOptions(request);
        FieldChecks.Require(request.Member("top_logprobs") is null || request.Member("logprobs") is { ValueKind: JsonValueKind.True }, "top_logprobs", "it is allowed only with logprobs set to true");
        _ = ChatTools.ChoiceOf(request);
    }

    internal override IEnumerable<RequestImage> ImagesOf(JsonElement request) => ChatMessages.ImagesOf(request.GetProperty("messages"), "messages");

    internal override void WriteMembers(JsonElement request, Utf8JsonWriter json, BackendProtocol backend, CancellationToken ct)
    {
        if (request.Member("response_format") is { } format)
        {
            ResponseFormat.Write(format, json, backend, ct);
        }

        if (request.Member("reasoning_effort") is { } effort)
        {
            json.WriteString("reasoning_effort", backend.ReasoningEffortOf(effort.GetString() ?? ""));
        }

        ChatMessages.Write(request.GetProperty("messages"), json, backend);
        Sampling.Write(request, json, backend);
        ChatTools.Write(request, json, backend, ChatTools.ChoiceOf(request), ct);
        // Every model server supports max_tokens; Ollama ignores max_completion_tokens without an error. If the request has both, the smaller one applies.
        var (older, newer) = (request.Member("max_tokens"), request.Member("max_completion_tokens"));
        if (older is not null || newer is not null)
        {
            json.WriteNumber("max_tokens", Math.Min(older?.GetInt32() ?? int.MaxValue, newer?.GetInt32() ?? int.MaxValue));
        }
    }

    private static void CheckModalities(JsonElement modalities, string param)
    {
        FieldChecks.Array(modalities, param);
        foreach (var modality in modalities.EnumerateArray())
        {
            if (modality.ValueKind != JsonValueKind.String || !modality.ValueEquals("text"u8))
            {
                throw new RequestRejectedException(OpenAiError.UnsupportedParameter(param));
            }
        }
    }
}
