using System.Text.Json;
using Cube.Inference.Streaming;

namespace Cube.Inference.Chat;

/// <summary>A streamed chat.</summary>
internal sealed class ChatStream(ClientRequest request, DateTimeOffset now) : ChunkStream(request, "chat.completion.chunk", "chatcmpl-", now)
{
    private readonly Choice[] _choices = new Choice[request.Choices];

    private struct Choice
    {
        public bool IsBegun;
        public bool IsFinished;

        public ToolCalls? Calls;
    }

    protected override bool WriteChoice(ReadOnlySpan<byte> choice, ByteBuffer output)
    {
        var parts = Parse(choice, "delta"u8);
        if ((uint)parts.Index >= (uint)_choices.Length)
        {
            return false;
        }

        ref var state = ref _choices[parts.Index];
        return WriteDelta(ref state, parts.Index, ChatDelta.Parse(parts.Payload), parts.Logprobs, output)
            && (parts.Finish.IsEmpty || WriteFinish(ref state, parts.Index, parts.Finish, output));
    }

    private bool WriteDelta(ref Choice state, int index, ChatDelta delta, ReadOnlySpan<byte> logprobs, ByteBuffer output)
    {
        if (!state.IsBegun)
        {
            state.IsBegun = true;
            BeginEvent(output, index).Append(delta.HasCalls && !JsonBytes.IsText(delta.Content) ? ",\"delta\":{\"role\":\"assistant\",\"content\":null},\"finish_reason\":null"u8 : ",\"delta\":{\"role\":\"assistant\",\"content\":\"\"},\"finish_reason\":null"u8);
            EndEvent(output);
        }

        var hasLogprobs = Logprobs.HasAny(logprobs);
        if (delta.IsEmpty && (!hasLogprobs || state.IsFinished))
        {
            return true;
        }

        if (state.IsFinished)
        {
            return false;
        }

        var mark = output.Length;
        BeginEvent(output, index).Append(",\"delta\":{"u8);
        var isFirst = true;
        Member(output, "\"content\":"u8, delta.Content, ref isFirst);
        Member(output, "\"reasoning\":"u8, delta.Reasoning, ref isFirst);
        Member(output, "\"refusal\":"u8, delta.Refusal, ref isFirst);
        if (delta.HasCalls && !WriteCalls(ref state, delta.Calls, output, ref isFirst))
        {
            return false;
        }

        if (isFirst && !hasLogprobs)
        {
            // Nothing of it is for the client.
            output.Truncate(mark);
            return true;
        }

        // A token without text has its entry in logprobs too.
        output.Append(isFirst ? "\"content\":\"\"}"u8 : "}"u8);
        if (hasLogprobs)
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
        if (reason.IsEmpty || !WriteMissingArguments(state.Calls, index, FinishReason.IsCut(reason), output))
        {
            return false;
        }

        state.IsFinished = true;
        Finished++;
        BeginEvent(output, index).Append(",\"delta\":{},\"finish_reason\":"u8).Append(reason);
        EndEvent(output);
        return true;
    }

    /// <summary>A client parses the arguments of a call: of a call without any they are an empty object.</summary>
    /// <returns>False where a call has no name, though the answer was not cut.</returns>
    private bool WriteMissingArguments(ToolCalls? calls, int index, bool isCut, ByteBuffer output)
    {
        if (calls is null || isCut)
        {
            return true;
        }

        foreach (var call in calls.WithoutArguments)
        {
            BeginEvent(output, index).Append(",\"delta\":{\"tool_calls\":[{\"index\":"u8).Append(call.Place)
                .Append(",\"function\":{\"arguments\":\"{}\"}}]},\"finish_reason\":null"u8);
            EndEvent(output);
        }

        return calls.AreNamed;
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
        while (CallParts.TryReadNext(ref reader, calls, out var part))
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

    private static void WriteCall(ToolCall call, bool isNew, in CallParts part, ByteBuffer output)
    {
        output.Append("{\"index\":"u8).Append(call.Place);
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

    private static void Member(ByteBuffer output, ReadOnlySpan<byte> name, ReadOnlySpan<byte> value, ref bool isFirst)
    {
        if (JsonBytes.IsText(value))
        {
            output.Append(isFirst ? default : ","u8).Append(name).Append(value);
            isFirst = false;
        }
    }
}
