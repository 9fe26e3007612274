using System.Text.Json;
using Cube.Inference.Chat;
using Cube.Inference.Images;

namespace Cube.Inference.Responses;

/// <summary>
/// Translates requests to <c>POST /v1/responses</c>, without state: the request contains the whole conversation, and Cube stores nothing. The model server gets a chat request, so that it behaves the same for both
/// endpoints and does not store the response.
/// </summary>
internal sealed class ResponsesRequestTranslator : JsonRequestTranslator
{
    public override string BackendPath => "/v1/chat/completions";

    public override IReadOnlyList<(string Backend, string Client)> ParameterNames { get; } =
        [("messages", "input"), ("response_format", "text.format"), ("reasoning_effort", "reasoning.effort"), ("max_tokens", "max_output_tokens")];

    internal override FieldRules Rules { get; } = RulesOf(
    [
        ("input", FieldRule.Translate(ResponsesInput.Check).WithMembers(ResponsesMembers.Item)),
        ("instructions", FieldRule.Translate(FieldChecks.String)),
        ("stream", FieldRule.Translate(FieldChecks.Boolean)),
        ("stream_options", FieldRule.Translate(FieldChecks.Object).WithMembers(ChatMembers.StreamOptions)),
        ("max_output_tokens", FieldRule.Translate(FieldChecks.Integer(1, int.MaxValue))),
        ("temperature", FieldRule.Translate(FieldChecks.Number(0, 2))),
        ("top_p", FieldRule.Translate(FieldChecks.Number(0, 1))),
        ("top_logprobs", FieldRule.Translate(FieldChecks.Integer(0, 0))),
        ("text", FieldRule.Translate(CheckText).WithMembers(ResponsesMembers.Text)),
        ("reasoning", FieldRule.Translate(CheckReasoning).WithMembers(ResponsesMembers.Reasoning)),
        ("tools", FieldRule.Translate(ResponsesTools.Check).WithMembers(ResponsesMembers.Tool)),
        ("tool_choice", FieldRule.Translate(ResponsesTools.CheckChoice).WithMembers(ResponsesMembers.ToolChoice)),
        ("parallel_tool_calls", FieldRule.Translate(FieldChecks.Boolean)),
        ("max_tool_calls", FieldRule.Drop(FieldChecks.Integer(0, int.MaxValue))),
        ("metadata", FieldRule.Translate(FieldChecks.Object)),
        ("include", FieldRule.Translate(CheckInclude)),
        ("truncation", FieldRule.Translate(FieldChecks.OneOf("disabled"))),
        ("store", FieldRule.Translate(FieldChecks.UnsupportedTrue)),
        ("background", FieldRule.Translate(FieldChecks.UnsupportedTrue)),
        ("previous_response_id", FieldRule.Reject),
        ("conversation", FieldRule.Reject),
        ("prompt", FieldRule.Reject),
        ("service_tier", FieldRule.Drop(FieldChecks.String)),
        ("safety_identifier", FieldRule.Drop(FieldChecks.String)),
        ("prompt_cache_key", FieldRule.Drop(FieldChecks.String)),
        ("prompt_cache_retention", FieldRule.Drop(FieldChecks.String)),
    ]);

    internal override ClientRequest Read(JsonElement request) => base.Read(request) with
    {
        IsStream = request.Member("stream") is { ValueKind: JsonValueKind.True },
        AllowsParallelCalls = request.Member("parallel_tool_calls") is not { ValueKind: JsonValueKind.False },
        ToolChoice = ResponsesTools.ChoiceOf(request),
        Echo = ResponsesEcho.Of(request),
    };

    internal override void CheckMembers(JsonElement request)
    {
        request.Required("input", "input");
        FieldChecks.Require(request.Member("stream_options") is null || request.Member("stream") is { ValueKind: JsonValueKind.True }, "stream_options", "it is allowed only with stream set to true");
        _ = ResponsesTools.ChoiceOf(request);
    }

    internal override IEnumerable<RequestImage> ImagesOf(JsonElement request) => ResponsesInput.ImagesOf(request.GetProperty("input"));

    internal override void Write(JsonElement request, Utf8JsonWriter json, in RequestTarget target, CancellationToken ct)
    {
        using var chat = ToChat(request);
        ChatRequestTranslator.Instance.Write(chat.RootElement, json, target, ct);
    }

    private static JsonDocument ToChat(JsonElement request)
    {
        using var output = new ByteBuffer(4096);
        using (var json = new Utf8JsonWriter(output, new JsonWriterOptions { SkipValidation = true }))
        {
            json.WriteStartObject();
            ResponsesInput.Write(request, json);
            Copy("stream", "stream");
            Copy("max_output_tokens", "max_tokens");
            Copy("temperature", "temperature");
            Copy("top_p", "top_p");
            Copy("parallel_tool_calls", "parallel_tool_calls");
            ResponsesTools.Write(request, json);
            if (request.Member("reasoning")?.Member("effort") is { } effort)
            {
                json.WriteRaw("reasoning_effort", effort);
            }

            if (request.Member("text")?.Member("format") is { } format)
            {
                WriteFormat(format, json);
            }

            json.WriteEndObject();

            void Copy(string name, string newName)
            {
                if (request.Member(name) is { } value)
                {
                    json.WriteRaw(newName, value);
                }
            }
        }

        // The document needs its own copy, because the buffer is returned to the pool.
        return JsonDocument.Parse(output.Written.ToArray(), StrictJson.Rewritten);
    }

    private static void CheckText(JsonElement text, string param)
    {
        FieldChecks.Object(text, param);
        if (text.Member("format") is not { } format)
        {
            return;
        }

        FieldChecks.Object(format, $"{param}.format");
        var type = format.Required("type", $"{param}.format.type");
        FieldChecks.OneOf("text", "json_object", "json_schema")(type, $"{param}.format.type");
        if (type.ValueEquals("json_schema"u8))
        {
            ResponseFormat.CheckNamed(format, $"{param}.format");
        }
    }

    private static void WriteFormat(JsonElement format, Utf8JsonWriter json)
    {
        json.WriteStartObject("response_format");
        json.WriteRaw("type", format.GetProperty("type"));
        if (format.GetProperty("type").ValueEquals("json_schema"u8))
        {
            json.WriteStartObject("json_schema");
            foreach (var name in (string[])["name", "description", "schema", "strict"])
            {
                if (format.Member(name) is { } value)
                {
                    json.WriteRaw(name, value);
                }
            }

            json.WriteEndObject();
        }

        json.WriteEndObject();
    }

    private static void CheckReasoning(JsonElement reasoning, string param)
    {
        FieldChecks.Object(reasoning, param);
        if (reasoning.Member("effort") is { } effort)
        {
            ChatRequestTranslator.CheckEffort(effort, $"{param}.effort");
        }
    }

    /// <summary>Rejects logprobs, which responses cannot have. Other values concern tools that Cube does not support and have no effect.</summary>
    private static void CheckInclude(JsonElement include, string param)
    {
        FieldChecks.Array(include, param);
        foreach (var item in include.EnumerateArray())
        {
            FieldChecks.String(item, param);
            if (item.ValueEquals("message.output_text.logprobs"u8))
            {
                throw new RequestRejectedException(OpenAiError.UnsupportedValue(param, "logprobs are available from /v1/chat/completions"));
            }
        }
    }
}
