using System.Text.Json;

namespace Cube.Inference.Chat;

/// <summary>Translates the response of <c>/v1/chat/completions</c>.</summary>
internal sealed class ChatResponseTranslator() : ChoicesResponseTranslator("chat.completion", "chatcmpl-")
{
    public override IStreamTranslator BeginStream(ClientRequest request, TimeProvider time) => new ChatStream(request, time.GetUtcNow());

    protected override bool WriteContent(JsonElement choice, ClientRequest request, ByteBuffer output)
    {
        output.Append(",\"message\":"u8);
        return WriteMessage(choice.GetProperty("message"), request, output);
    }

    protected override void WriteLogprobs(ReadOnlySpan<byte> logprobs, ByteBuffer output) => Logprobs.Write(logprobs, output);

    /// <returns>Whether the message has tool calls for the client.</returns>
    private static bool WriteMessage(JsonElement message, ClientRequest request, ByteBuffer output)
    {
        var calls = message.Member("tool_calls") is { ValueKind: JsonValueKind.Array } array && array.GetArrayLength() > 0 ? array : (JsonElement?)null;
        var content = message.Member("content");
        if (content is { } text && text.ValueKind != JsonValueKind.String)
        {
            throw new JsonException("The content is not a string.");
        }

        var areCallsDropped = calls is not null && request.ToolChoice == ToolChoice.None;
        output.Append("{\"role\":\"assistant\",\"content\":"u8)
            .Append(content is { } value && (calls is null || areCallsDropped || !value.ValueEquals(""u8)) ? Raw(value) : areCallsDropped ? "\"\""u8 : "null"u8)
            .Append(",\"refusal\":"u8).Append(message.Member("refusal") is { ValueKind: JsonValueKind.String } refusal ? Raw(refusal) : "null"u8);
        if ((TextOf(message, "reasoning") ?? TextOf(message, "reasoning_content")) is { } reasoning)
        {
            output.Append(",\"reasoning\":"u8).Append(Raw(reasoning));
        }

        var hasCalls = calls is { } list && WriteCalls(Raw(list), request, output);
        output.Append("}"u8);
        return hasCalls;
    }

    /// <returns>Whether the response has tool calls.</returns>
    private static bool WriteCalls(ReadOnlySpan<byte> list, ClientRequest request, ByteBuffer output)
    {
        var calls = new ToolCalls(request);
        var reader = new Utf8JsonReader(list);
        reader.Read();
        while (ToolCallPart.TryReadNext(ref reader, list, out var part))
        {
            if (!calls.TryAddComplete(part, out var call))
            {
                throw new JsonException("A tool call has no name.");
            }

            if (call is not null)
            {
                output.Append(call.OutputIndex == 0 ? ",\"tool_calls\":["u8 : ","u8).Append("{\"id\":"u8).Append(call.Id)
                    .Append(",\"type\":\"function\",\"function\":{\"name\":"u8).Append(call.Name).Append(",\"arguments\":\""u8);
                (call.HasArguments ? call.WriteArguments(part, output) : output.Append("{}"u8)).Append("\"}}"u8);
            }
        }

        output.Append(calls.HasAny ? "]"u8 : default);
        return calls.HasAny;
    }

    /// <returns>The member if it is a string that is not empty.</returns>
    private static JsonElement? TextOf(JsonElement json, string name) =>
        json.Member(name) is { ValueKind: JsonValueKind.String } text && !text.ValueEquals(""u8) ? text : null;
}
