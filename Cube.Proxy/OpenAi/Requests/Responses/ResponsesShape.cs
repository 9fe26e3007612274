using System.Text.Json;
using Cube.ServiceDefaults.Errors;

namespace Cube.Proxy.OpenAi.Requests.Responses;

/// <summary>
/// <c>POST /v1/responses</c>, without state: what a conversation has said so far comes with the request, and nothing of it is kept. A model
/// server is asked the same as a chat, so that what it does with one holds for the other, and so that none of them stores a response.
/// </summary>
internal sealed class ResponsesShape : RequestShape
{
    protected override FieldRules Rules { get; } = new(Common(
    [
        ("input", FieldRule.Own(ResponseInput.Check).Holding(KnownMembers.ResponseItem)),
        ("instructions", FieldRule.Own(Checks.Text)),
        ("stream", FieldRule.Own(Checks.Boolean)),
        ("stream_options", FieldRule.Own(Checks.Object).Holding(KnownMembers.StreamOptions)),
        ("max_output_tokens", FieldRule.Own(Checks.Integer(1, int.MaxValue))),
        ("temperature", FieldRule.Own(Checks.Number(0, 2))),
        ("top_p", FieldRule.Own(Checks.Number(0, 1))),
        ("top_logprobs", FieldRule.Own(Checks.Integer(0, 0))),
        ("text", FieldRule.Own(CheckText).Holding(KnownMembers.ResponseText)),
        ("reasoning", FieldRule.Own(CheckReasoning).Holding(KnownMembers.Reasoning)),
        ("tools", FieldRule.Own(ResponseTools.Check).Holding(KnownMembers.ResponseTool)),
        ("tool_choice", FieldRule.Own(ResponseTools.CheckChoice).Holding(KnownMembers.ResponseToolChoice)),
        ("parallel_tool_calls", FieldRule.Own(Checks.Boolean)),
        ("max_tool_calls", FieldRule.Drop(Checks.Integer(0, int.MaxValue))),
        ("metadata", FieldRule.Own(Checks.Object)),
        ("include", FieldRule.Own(CheckInclude)),
        ("truncation", FieldRule.Own(Checks.OneOf("disabled"))),
        ("store", FieldRule.Own(Checks.UnsupportedTrue)),
        ("background", FieldRule.Own(Checks.UnsupportedTrue)),
        ("previous_response_id", FieldRule.Refuse),
        ("conversation", FieldRule.Refuse),
        ("prompt", FieldRule.Refuse),
        ("service_tier", FieldRule.Drop(Checks.Text)),
        ("safety_identifier", FieldRule.Drop(Checks.Text)),
        ("prompt_cache_key", FieldRule.Drop(Checks.Text)),
        ("prompt_cache_retention", FieldRule.Drop(Checks.Text)),
    ]));

    public override ClientRequest Read(JsonElement request) => base.Read(request) with
    {
        IsStream = request.Member("stream") is { ValueKind: JsonValueKind.True },
        AllowsParallelCalls = request.Member("parallel_tool_calls") is not { ValueKind: JsonValueKind.False },
        ToolChoice = ResponseTools.ChoiceOf(request),
        Echo = ResponseEcho.Of(request),
    };

    protected override void CheckOwn(JsonElement request)
    {
        request.Required("input", "input");
        Checks.Value(request.Member("stream_options") is null || request.Member("stream") is { ValueKind: JsonValueKind.True }, "stream_options", "it is for streams only");
        _ = ResponseTools.ChoiceOf(request);
    }

    protected override IEnumerable<SentImage> ImagesOf(JsonElement request) => ResponseInput.ImagesOf(request.GetProperty("input"));

    public override void Write(JsonElement request, Utf8JsonWriter json, in RequestTarget target, CancellationToken ct)
    {
        using var chat = ToChat(request);
        RequestShapes.OfChat.Write(chat.RootElement, json, target, ct);
    }

    private static JsonDocument ToChat(JsonElement request)
    {
        using var output = new ByteBuffer(4096);
        using (var json = new Utf8JsonWriter(output, new JsonWriterOptions { SkipValidation = true }))
        {
            json.WriteStartObject();
            ResponseInput.Write(request, json);
            Copy("stream", "stream");
            Copy("max_output_tokens", "max_tokens");
            Copy("temperature", "temperature");
            Copy("top_p", "top_p");
            Copy("parallel_tool_calls", "parallel_tool_calls");
            ResponseTools.Write(request, json);
            if (request.Member("reasoning")?.Member("effort") is { } effort)
            {
                json.WriteRaw("reasoning_effort", effort);
            }

            if (request.Member("text")?.Member("format") is { } format)
            {
                WriteFormat(format, json);
            }

            json.WriteEndObject();

            void Copy(string name, string asName)
            {
                if (request.Member(name) is { } value)
                {
                    json.WriteRaw(asName, value);
                }
            }
        }

        // The document owns a copy: the buffer goes back.
        return JsonDocument.Parse(output.Written.ToArray(), StrictJson.Rewritten);
    }

    private static void CheckText(JsonElement text, string param)
    {
        Checks.Object(text, param);
        if (text.Member("format") is not { } format)
        {
            return;
        }

        Checks.Object(format, $"{param}.format");
        var type = format.Required("type", $"{param}.format.type");
        Checks.OneOf("text", "json_object", "json_schema")(type, $"{param}.format.type");
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
        Checks.Object(reasoning, param);
        if (reasoning.Member("effort") is { } effort)
        {
            ChatShape.CheckEffort(effort, $"{param}.effort");
        }
    }

    /// <summary>What tells more of tools that are not here says nothing; what would need the model server's word is refused.</summary>
    private static void CheckInclude(JsonElement include, string param)
    {
        Checks.Array(include, param);
        foreach (var item in include.EnumerateArray())
        {
            Checks.Text(item, param);
            if (item.ValueEquals("message.output_text.logprobs"u8))
            {
                throw new RefusedException(OpenAiError.UnsupportedValue(param, "logprobs are given by /v1/chat/completions"));
            }
        }
    }

    protected override void WriteOwn(JsonElement request, Utf8JsonWriter json, in RequestTarget target, CancellationToken ct)
    {
    }
}
