using System.Text.Json;
using Cube.Inference.Streaming;

namespace Cube.Inference.Chat;

/// <summary>Translates the stream of a chat. The first event of each choice has the role, and the last one its finish reason.</summary>
/// <param name="request">The properties of the client's request.</param>
/// <param name="now">The time that all chunks have.</param>
/// <param name="usesTemplate">False to parse every event.</param>
internal sealed class ChatStream(ClientRequest request, DateTimeOffset now, bool usesTemplate = true) : ChunkStream(request, "chat.completion.chunk", "chatcmpl-", now)
{
    protected override EventTemplate? Template { get; } = usesTemplate ? new([.. "\"content\":\""u8]) : null;

    private readonly Choice[] _choices = new Choice[request.Choices];

    private struct Choice
    {
        public bool HasStarted;
        public bool IsFinished;
        public ToolCalls? Calls;
    }

    protected override bool WriteChoice(ReadOnlySpan<byte> choice, ByteBuffer output)
    {
        var part = StreamedChoice.Parse(choice, "delta"u8);
        if ((uint)part.Index >= (uint)_choices.Length)
        {
            return false;
        }

        ref var state = ref _choices[part.Index];
        return WriteDelta(ref state, part.Index, ChatDelta.Parse(part.Payload), part.Logprobs, output)
            && (part.FinishReason.IsEmpty || WriteFinish(ref state, part.Index, part.FinishReason, output));
    }

    private bool WriteDelta(ref Choice state, int index, ChatDelta delta, ReadOnlySpan<byte> logprobs, ByteBuffer output)
    {
        if (!state.HasStarted)
        {
            state.HasStarted = true;
            BeginEvent(output, index)
                .Append(delta.HasCalls && !JsonBytes.IsNonEmptyString(delta.Content) ? ",\"delta\":{\"role\":\"assistant\",\"content\":null}"u8 : ",\"delta\":{\"role\":\"assistant\",\"content\":\"\"}"u8)
                .Append(",\"finish_reason\":null"u8);
            EndEvent(output);
        }

        var hasLogprobs = Logprobs.HasAny(logprobs);
        if (delta.IsEmpty && (!hasLogprobs || state.IsFinished))
        {
            return true;
        }

        return !state.IsFinished && WriteContent(ref state, index, delta, hasLogprobs ? logprobs : default, output);
    }

    private bool WriteContent(ref Choice state, int index, ChatDelta delta, ReadOnlySpan<byte> logprobs, ByteBuffer output)
    {
        var mark = output.Length;
        BeginEvent(output, index).Append(",\"delta\":{"u8);
        var isFirst = true;
        WriteMember(output, "\"content\":"u8, delta.Content, ref isFirst);
        WriteMember(output, "\"reasoning\":"u8, delta.Reasoning, ref isFirst);
        WriteMember(output, "\"refusal\":"u8, delta.Refusal, ref isFirst);
        if (delta.HasCalls && !WriteCalls(ref state, delta.Calls, output, ref isFirst))
        {
            return false;
        }

        if (isFirst && logprobs.IsEmpty)
        {
            // The delta has nothing for the client.
            output.Truncate(mark);
            return true;
        }

        // A token without text has logprobs too.
        output.Append(isFirst ? "\"content\":\"\"}"u8 : "}"u8);
        if (!logprobs.IsEmpty)
        {
            output.Append(",\"logprobs\":"u8);
            Logprobs.Write(logprobs, output);
        }

        output.Append(",\"finish_reason\":null"u8);
        EndEvent(output);
        return true;
    }

    private bool WriteFinish(ref Choice state, int index, ReadOnlySpan<byte> finish, ByteBuffer output)
    {
        if (state.IsFinished)
        {
            return true;
        }

        var reason = finish.Length > 2 ? FinishReason.Of(finish[1..^1], state.Calls is { HasAny: true }, Request.ToolChoice) : default;
        if (reason.IsEmpty || !WriteMissingArguments(state.Calls, index, FinishReason.IsIncomplete(reason), output))
        {
            return false;
        }

        state.IsFinished = true;
        Finished++;
        BeginEvent(output, index).Append(",\"delta\":{},\"finish_reason\":"u8).Append(reason);
        EndEvent(output);
        return true;
    }

    /// <summary>Sends <c>{}</c> for calls without arguments, because clients parse the arguments as JSON.</summary>
    /// <returns>False if a call has no name although the response is complete.</returns>
    private bool WriteMissingArguments(ToolCalls? calls, int index, bool isIncomplete, ByteBuffer output)
    {
        if (calls is null || isIncomplete)
        {
            return true;
        }

        foreach (var call in calls.WithoutArguments)
        {
            BeginEvent(output, index).Append(",\"delta\":{\"tool_calls\":[{\"index\":"u8).Append(call.OutputIndex)
                .Append(",\"function\":{\"arguments\":\"{}\"}}]},\"finish_reason\":null"u8);
            EndEvent(output);
        }

        return calls.AllHaveNames;
    }

    private bool WriteCalls(ref Choice state, ReadOnlySpan<byte> calls, ByteBuffer output, ref bool isFirst)
    {
        var reader = new Utf8JsonReader(calls);
        reader.Read();
        if (reader.TokenType != JsonTokenType.StartArray)
        {
            return false;
        }

        state.Calls ??= new ToolCalls(Request);
        var isOpen = false;
        while (ToolCallPart.TryReadNext(ref reader, calls, out var part))
        {
            if (!state.Calls.TryAdd(part, out var call, out var isNew))
            {
                return false;
            }

            if (call is not null)
            {
                output.Append(isFirst ? "\"tool_calls\":["u8 : isOpen ? ","u8 : ",\"tool_calls\":["u8);
                (isFirst, isOpen) = (false, true);
                WriteCall(call, isNew, part, output);
            }
        }

        output.Append(isOpen ? "]"u8 : default);
        return true;
    }

    private static void WriteCall(ToolCall call, bool isNew, in ToolCallPart part, ByteBuffer output)
    {
        output.Append("{\"index\":"u8).Append(call.OutputIndex);
        if (isNew)
        {
            output.Append(",\"id\":"u8).Append(call.Id).Append(",\"type\":\"function\",\"function\":{\"name\":"u8).Append(call.Name).Append(",\"arguments\":\""u8);
        }
        else
        {
            output.Append(",\"function\":{\"arguments\":\""u8);
        }

        call.WriteArguments(part, output).Append("\"}}"u8);
    }

    private static void WriteMember(ByteBuffer output, ReadOnlySpan<byte> name, ReadOnlySpan<byte> value, ref bool isFirst)
    {
        if (JsonBytes.IsNonEmptyString(value))
        {
            output.Append(isFirst ? default : ","u8).Append(name).Append(value);
            isFirst = false;
        }
    }
}
