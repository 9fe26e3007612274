using System.Runtime.InteropServices;
using System.Text.Json;
using Cube.Inference.Chat;

namespace Cube.Inference.Responses;

/// <summary>Translates a model server's chat response to a response of <c>/v1/responses</c>.</summary>
internal sealed class ResponsesResponseTranslator : JsonResponseTranslator
{
    public override IStreamTranslator BeginStream(ClientRequest request, TimeProvider time) => new ResponsesStream(request, time);

    protected override TokenUsage? Write(JsonElement root, ClientRequest request, DateTimeOffset now, ByteBuffer output)
    {
        var usage = UsageOf(root);
        var choices = root.GetProperty("choices");
        if (choices.GetArrayLength() != 1)
        {
            throw new JsonException("The number of choices differs from the request.");
        }

        using var response = new ResponsesObject(request, now);
        var delta = ChatDelta.Parse(JsonMarshal.GetRawUtf8Value(choices[0].GetProperty("message")));
        Add(response, ResponsesItemKind.Reasoning, delta.Reasoning);
        Add(response, ResponsesItemKind.Text, delta.Content);
        Add(response, ResponsesItemKind.Refusal, delta.Refusal);
        if (delta.HasCalls && !TryAddCalls(response, delta.Calls))
        {
            throw new JsonException("A tool call has an unexpected format.");
        }

        if (!response.TryFinish(JsonMarshal.GetRawUtf8Value(choices[0].GetProperty("finish_reason"))))
        {
            throw new JsonException("A choice has an unknown finish_reason.");
        }

        if (response.Items.Count == 0)
        {
            response.ItemFor(ResponsesItemKind.Text, out _).IsDone = true;
        }

        response.WriteFinished(output, usage, now);
        return usage;
    }

    private static void Add(ResponsesObject response, ResponsesItemKind kind, ReadOnlySpan<byte> text)
    {
        if (!text.IsEmpty && text[0] != '"')
        {
            throw new JsonException("The content is not a string.");
        }

        if (JsonBytes.IsNonEmptyString(text))
        {
            var item = response.ItemFor(kind, out _);
            item.Add(text);
            item.IsDone = true;
        }
    }

    private static bool TryAddCalls(ResponsesObject response, ReadOnlySpan<byte> calls)
    {
        var reader = new Utf8JsonReader(calls);
        reader.Read();
        if (reader.TokenType != JsonTokenType.StartArray)
        {
            return false;
        }

        using var arguments = new ByteBuffer(256);
        while (ToolCallPart.TryReadNext(ref reader, calls, out var part))
        {
            if (!response.Calls.TryAddComplete(part, out var call))
            {
                return false;
            }

            if (call is not null)
            {
                var item = response.ItemFor(call);
                arguments.Truncate(0);
                item.Text.Append(call.HasArguments ? call.WriteArguments(part, arguments).Written.Span : "{}"u8);
                item.IsDone = true;
            }
        }

        return true;
    }
}
