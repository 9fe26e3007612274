using System.Text.Json;
using Cube.ServiceDefaults.Errors;

namespace Cube.Proxy.OpenAi.Requests;

/// <summary><c>POST /v1/chat/completions</c>.</summary>
internal sealed class ChatShape : RequestShape
{
    public static readonly Check CheckEffort = Checks.OneOf("none", "minimal", "low", "medium", "high", "xhigh", "max");

    protected override FieldRules Rules { get; } = new(Common(
    [
        .. Sampling,
        ("messages", FieldRule.Own(Messages.Check).Holding(KnownMembers.Message)),
        ("max_tokens", FieldRule.Own(Checks.Integer(1, int.MaxValue))),
        ("max_completion_tokens", FieldRule.Own(Checks.Integer(1, int.MaxValue))),
        ("logprobs", FieldRule.Pass(Checks.Boolean)),
        ("top_logprobs", FieldRule.Pass(Checks.Integer(0, 20))),
        ("tools", FieldRule.Own(Tools.Check).Holding(KnownMembers.Tool)),
        ("tool_choice", FieldRule.Own(Tools.CheckChoice).Holding(KnownMembers.ToolChoice)),
        ("parallel_tool_calls", FieldRule.Own(Checks.Boolean)),
        ("response_format", FieldRule.Own(ResponseFormat.Check).Holding(KnownMembers.ResponseFormat)),
        ("reasoning_effort", FieldRule.Own(CheckEffort)),
        ("modalities", FieldRule.Drop(CheckModalities)),
        ("store", FieldRule.Drop(Checks.UnsupportedTrue)),
        ("metadata", FieldRule.Drop(Checks.Object)),
        ("service_tier", FieldRule.Drop(Checks.Text)),
        ("prediction", FieldRule.Drop(Checks.Object)),
        ("verbosity", FieldRule.Drop(Checks.Text)),
        ("safety_identifier", FieldRule.Drop(Checks.Text)),
        ("prompt_cache_key", FieldRule.Drop(Checks.Text)),
        ("prompt_cache_retention", FieldRule.Drop(Checks.Text)),
        ("audio", FieldRule.Refuse),
        ("web_search_options", FieldRule.Refuse),
        ("functions", FieldRule.Refuse),
        ("function_call", FieldRule.Refuse),
    ]));

    public override ClientRequest Read(JsonElement request) => ReadSampling(request, base.Read(request)) with
    {
        AllowsParallelCalls = request.Member("parallel_tool_calls") is not { ValueKind: JsonValueKind.False },
        ToolChoice = Tools.ChoiceOf(request),
        LimitName = LimitNameOf(request),
    };

    /// <summary>Of two limits, the smaller one counts.</summary>
    private static string LimitNameOf(JsonElement request) =>
        request.Member("max_completion_tokens") is { } newer && (request.Member("max_tokens") is not { } older || newer.GetInt32() < older.GetInt32())
            ? "max_completion_tokens"
            : ClientRequest.UsualLimitName;

    protected override void CheckOwn(JsonElement request)
    {
        request.Required("messages", "messages");
        CheckStream(request);
        Checks.Value(request.Member("top_logprobs") is null || request.Member("logprobs") is { ValueKind: JsonValueKind.True }, "top_logprobs", "logprobs must be true");
        _ = Tools.ChoiceOf(request);
    }

    protected override IEnumerable<SentImage> ImagesOf(JsonElement request) => Messages.ImagesOf(request.GetProperty("messages"), "messages");

    protected override void WriteOwn(JsonElement request, Utf8JsonWriter json, in RequestTarget target, CancellationToken ct)
    {
        if (request.Member("response_format") is { } format)
        {
            ResponseFormat.Write(format, json, target.Kind, ct);
        }

        if (request.Member("reasoning_effort") is { } effort)
        {
            WriteEffort(effort, json, target.Kind);
        }

        Messages.Write(request.GetProperty("messages"), json, target.Kind);
        WriteSampling(request, json, target.Kind);
        Tools.Write(request, json, target.Kind, Tools.ChoiceOf(request), ct);
        // Ollama knows the old name only, and in silence; where both are given the smaller counts.
        var limits = (request.Member("max_tokens"), request.Member("max_completion_tokens"));
        if (limits.Item1 is not null || limits.Item2 is not null)
        {
            json.WriteNumber("max_tokens", Math.Min(limits.Item1?.GetInt32() ?? int.MaxValue, limits.Item2?.GetInt32() ?? int.MaxValue));
        }
    }

    /// <summary>Ollama refuses the outermost of OpenAI's efforts; the nearest that it has stands for each.</summary>
    private static void WriteEffort(JsonElement effort, Utf8JsonWriter json, BackendKind kind)
    {
        var name = effort.GetString();
        json.WriteString("reasoning_effort", kind == BackendKind.Vllm ? name : name switch { "minimal" => "low", "xhigh" or "max" => "high", _ => name });
    }

    private static void CheckModalities(JsonElement modalities, string param)
    {
        Checks.Array(modalities, param);
        foreach (var modality in modalities.EnumerateArray())
        {
            if (modality.ValueKind != JsonValueKind.String || !modality.ValueEquals("text"u8))
            {
                throw new RefusedException(OpenAiError.UnsupportedParameter(param));
            }
        }
    }
}
