using System.Text;
using System.Text.Json;
using Cube.Proxy.OpenAi.Requests;

namespace Cube.Proxy.OpenAi.Answers;

/// <summary>A streamed chat.</summary>
internal sealed class ChatStream(ClientRequest request, DateTimeOffset now) : ChunkStream(request, "chat.completion.chunk", "chatcmpl-", now)
{
    private readonly Choice[] _choices = new Choice[request.Choices];

    private struct Choice
    {
        public bool IsBegun;
        public bool IsFinished;

        /// <summary>Tool calls that were begun, in the order of their indexes.</summary>
        public List<int>? Calls;
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

        if (delta.IsEmpty)
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
        if (delta.HasCalls)
        {
            if (!WriteCalls(ref state, delta.Calls, output, ref isFirst))
            {
                return false;
            }

            if (isFirst)
            {
                // Nothing of it was for the client.
                output.Truncate(mark);
                return true;
            }
        }

        output.Append("}"u8);
        if (logprobs.Length > 0 && logprobs[0] == '{')
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

        var reason = finish.Length > 2 ? FinishReason.Of(finish[1..^1], state.Calls is not null, Request.ToolChoice) : default;
        if (reason.IsEmpty)
        {
            return false;
        }

        state.IsFinished = true;
        Finished++;
        BeginEvent(output, index).Append(",\"delta\":{},\"finish_reason\":"u8).Append(reason);
        EndEvent(output);
        return true;
    }

    private bool WriteCalls(ref Choice state, ReadOnlySpan<byte> calls, ByteBuffer output, ref bool isFirst)
    {
        var reader = new Utf8JsonReader(calls);
        reader.Read();
        if (reader.TokenType != JsonTokenType.StartArray)
        {
            return false;
        }

        var isOpen = false;
        while (reader.Read() && reader.TokenType == JsonTokenType.StartObject)
        {
            var start = (int)reader.TokenStartIndex;
            reader.Skip();
            if (!WriteCall(ref state, calls[start..(int)reader.BytesConsumed], output, ref isFirst, ref isOpen))
            {
                return false;
            }
        }

        if (isOpen)
        {
            output.Append("]"u8);
        }

        return true;
    }

    private bool WriteCall(ref Choice state, ReadOnlySpan<byte> call, ByteBuffer output, ref bool isFirst, ref bool isOpen)
    {
        if (!CallParts.TryParse(call, out var parts))
        {
            return false;
        }

        state.Calls ??= [];
        if (!parts.TryNumber(state.Calls, out var number, out var isNew))
        {
            return false;
        }

        if (!Request.AllowsParallelCalls && number != state.Calls[0])
        {
            return true;
        }

        output.Append(isFirst ? "\"tool_calls\":["u8 : isOpen ? ","u8 : ",\"tool_calls\":["u8);
        (isFirst, isOpen) = (false, true);
        output.Append("{\"index\":"u8).Append(state.Calls.IndexOf(number));
        if (isNew)
        {
            output.Append(",\"id\":"u8);
            if (JsonBytes.IsText(parts.Id))
            {
                output.Append(parts.Id);
            }
            else
            {
                output.Append(Encoding.ASCII.GetBytes($"\"call_{Guid.NewGuid():N}\""));
            }

            output.Append(",\"type\":\"function\",\"function\":{\"name\":"u8).Append(parts.Name).Append(",\"arguments\":"u8);
        }
        else
        {
            output.Append(",\"function\":{\"arguments\":"u8);
        }

        CallParts.WriteText(parts.Arguments, output);
        output.Append("}}"u8);
        return true;
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
