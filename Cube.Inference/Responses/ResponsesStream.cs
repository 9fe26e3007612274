using System.Text.Json;
using Cube.Inference.Chat;
using Cube.Inference.Streaming;

namespace Cube.Inference.Responses;

/// <summary>
/// Translates the stream of a model server's chat to the events of <c>/v1/responses</c>: the response starts, each output item is added, extended and completed, and the last event contains the whole response.
/// <c>sequence_number</c> starts at 0 and has no gaps.
/// </summary>
internal sealed class ResponsesStream(ClientRequest request, TimeProvider time) : OpenAiStream(request), IDisposable
{
    private readonly ResponsesObject _response = new(request, time.GetUtcNow());
    private int _sequenceNumber;

    protected override bool WriteChoice(ReadOnlySpan<byte> choice, ByteBuffer output)
    {
        var part = StreamedChoice.Parse(choice, "delta"u8);
        if (part.Index != 0)
        {
            return false;
        }

        if (_sequenceNumber == 0)
        {
            BeginEvent("response.created"u8, output).Append(",\"response\":"u8);
            _response.WriteInProgress(output);
            EndEvent(output);
            BeginEvent("response.in_progress"u8, output).Append(",\"response\":"u8);
            _response.WriteInProgress(output);
            EndEvent(output);
        }

        var delta = ChatDelta.Parse(part.Payload);
        if (!delta.IsEmpty && (Finished > 0 || !_response.TryAddLength(part.Payload.Length)))
        {
            return false;
        }

        WriteText(ResponsesItemKind.Reasoning, delta.Reasoning, output);
        WriteText(ResponsesItemKind.Text, delta.Content, output);
        WriteText(ResponsesItemKind.Refusal, delta.Refusal, output);
        return (!delta.HasCalls || WriteCalls(delta.Calls, output)) && (part.FinishReason.IsEmpty || Finished > 0 || WriteFinish(part.FinishReason, output));
    }

    protected override void WriteEnd(ByteBuffer output)
    {
        BeginEvent(_response.IsIncomplete ? "response.incomplete"u8 : "response.completed"u8, output).Append(",\"response\":"u8);
        _response.WriteFinished(output, Usage, time.GetUtcNow());
        EndEvent(output);
    }

    /// <summary>Writes OpenAI's <c>error</c> event. It also has the member <c>error</c>, which SDKs look for in every stream.</summary>
    public override void WriteError(OpenAiError failure, ByteBuffer output)
    {
        BeginEvent("error"u8, output).Append(",\"code\":"u8).Append(JsonSerializer.SerializeToUtf8Bytes(failure.Code)).Append(",\"message\":"u8).Append(JsonSerializer.SerializeToUtf8Bytes(failure.Message))
            .Append(",\"param\":null,"u8).Append(failure.ToJson().Span[1..^1]);
        EndEvent(output);
    }

    public void Dispose() => _response.Dispose();

    private void WriteText(ResponsesItemKind kind, ReadOnlySpan<byte> text, ByteBuffer output)
    {
        if (!JsonBytes.IsNonEmptyString(text))
        {
            return;
        }

        var open = _response.Items is [.., { IsDone: false, Kind: not ResponsesItemKind.Call } last] && last.Kind != kind ? last : null;
        if (open is not null)
        {
            WriteDone(open, "completed"u8, output);
        }

        var item = _response.ItemFor(kind, out var isNew);
        if (isNew)
        {
            WriteAdded(item, output);
        }

        item.Add(text);
        BeginItemEvent(item, DeltaEventOf(kind), output).Append(",\"delta\":"u8).Append(text).Append(kind == ResponsesItemKind.Text ? ",\"logprobs\":[]"u8 : default);
        EndEvent(output);
    }

    private bool WriteCalls(ReadOnlySpan<byte> calls, ByteBuffer output)
    {
        var reader = new Utf8JsonReader(calls);
        reader.Read();
        if (reader.TokenType != JsonTokenType.StartArray)
        {
            return false;
        }

        while (ToolCallPart.TryReadNext(ref reader, calls, out var part))
        {
            var open = _response.Items is [.., { IsDone: false, Kind: not ResponsesItemKind.Call } last] ? last : null;
            if (!_response.Calls.TryAdd(part, out var call, out var isNew))
            {
                return false;
            }

            if (call is null)
            {
                continue;
            }

            if (open is not null)
            {
                WriteDone(open, "completed"u8, output);
            }

            WriteCall(call, isNew, part, output);
        }

        return true;
    }

    private void WriteCall(ToolCall call, bool isNew, in ToolCallPart part, ByteBuffer output)
    {
        var item = _response.ItemFor(call);
        if (isNew)
        {
            WriteAdded(item, output);
        }

        using var arguments = new ByteBuffer(256);
        WriteArguments(item, call.WriteArguments(part, arguments).Written.Span, output);
    }

    private void WriteArguments(ResponsesItem item, ReadOnlySpan<byte> text, ByteBuffer output)
    {
        if (text.IsEmpty)
        {
            return;
        }

        BeginItemEvent(item, DeltaEventOf(ResponsesItemKind.Call), output).Append(",\"delta\":\""u8).Append(text).Append("\""u8);
        item.Text.Append(text);
        EndEvent(output);
    }

    private bool WriteFinish(ReadOnlySpan<byte> finish, ByteBuffer output)
    {
        if (!_response.TryFinish(finish))
        {
            return false;
        }

        Finished++;
        if (_response.Items.Count == 0)
        {
            WriteAdded(_response.ItemFor(ResponsesItemKind.Text, out _), output);
        }

        // Clients parse the arguments as JSON, so a call without arguments gets {}.
        foreach (var call in _response.IsIncomplete ? [] : _response.Calls.WithoutArguments)
        {
            WriteArguments(_response.ItemFor(call), "{}"u8, output);
        }

        foreach (var item in _response.Items.Where(static item => !item.IsDone))
        {
            WriteDone(item, _response.StatusOf(item), output);
        }

        return true;
    }

    private void WriteAdded(ResponsesItem item, ByteBuffer output)
    {
        BeginEvent("response.output_item.added"u8, output).Append(",\"output_index\":"u8).Append(item.Index).Append(",\"item\":"u8);
        item.Write(output, "in_progress"u8);
        EndEvent(output);
        if (item.Kind != ResponsesItemKind.Call)
        {
            BeginItemEvent(item, "response.content_part.added"u8, output).Append(",\"part\":"u8);
            item.WritePart(output);
            EndEvent(output);
        }
    }

    private void WriteDone(ResponsesItem item, ReadOnlySpan<byte> status, ByteBuffer output)
    {
        item.IsDone = true;
        BeginItemEvent(item, DoneEventOf(item.Kind), output).Append(item.Kind switch
        {
            ResponsesItemKind.Call => ",\"arguments\":\""u8,
            ResponsesItemKind.Refusal => ",\"refusal\":\""u8,
            _ => ",\"text\":\""u8,
        }).Append(item.Text.Written.Span).Append("\""u8);
        if (item.Kind == ResponsesItemKind.Call)
        {
            output.Append(",\"name\":"u8).Append(item.Name);
        }

        output.Append(item.Kind == ResponsesItemKind.Text ? ",\"logprobs\":[]"u8 : default);
        EndEvent(output);
        if (item.Kind != ResponsesItemKind.Call)
        {
            BeginItemEvent(item, "response.content_part.done"u8, output).Append(",\"part\":"u8);
            item.WritePart(output);
            EndEvent(output);
        }

        BeginEvent("response.output_item.done"u8, output).Append(",\"output_index\":"u8).Append(item.Index).Append(",\"item\":"u8);
        item.Write(output, status);
        EndEvent(output);
    }

    private static ReadOnlySpan<byte> DeltaEventOf(ResponsesItemKind kind) => kind switch
    {
        ResponsesItemKind.Reasoning => "response.reasoning_text.delta"u8,
        ResponsesItemKind.Refusal => "response.refusal.delta"u8,
        ResponsesItemKind.Call => "response.function_call_arguments.delta"u8,
        _ => "response.output_text.delta"u8,
    };

    private static ReadOnlySpan<byte> DoneEventOf(ResponsesItemKind kind) => kind switch
    {
        ResponsesItemKind.Reasoning => "response.reasoning_text.done"u8,
        ResponsesItemKind.Refusal => "response.refusal.done"u8,
        ResponsesItemKind.Call => "response.function_call_arguments.done"u8,
        _ => "response.output_text.done"u8,
    };

    private ByteBuffer BeginEvent(ReadOnlySpan<byte> type, ByteBuffer output) =>
        output.Append("event: "u8).Append(type).Append("\ndata: {\"type\":\""u8).Append(type).Append("\",\"sequence_number\":"u8).Append(_sequenceNumber++);

    private ByteBuffer BeginItemEvent(ResponsesItem item, ReadOnlySpan<byte> type, ByteBuffer output)
    {
        BeginEvent(type, output).Append(",\"item_id\":"u8).Append(item.Id).Append(",\"output_index\":"u8).Append(item.Index);
        return item.Kind == ResponsesItemKind.Call ? output : output.Append(",\"content_index\":0"u8);
    }

    private static void EndEvent(ByteBuffer output) => output.Append("}\n\n"u8);
}
