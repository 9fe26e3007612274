using System.Text;
using System.Text.Json;
using Cube.Proxy.OpenAi.Requests;

namespace Cube.Proxy.OpenAi.Answers;

/// <summary>A streamed chat.</summary>
internal sealed class ChatStream(ClientRequest request, DateTimeOffset now) : AnswerStream(request, "chat.completion.chunk", "chatcmpl-", now)
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
        return WriteDelta(ref state, parts.Index, parts.Payload, parts.Logprobs, output)
            && (parts.Finish.IsEmpty || WriteFinish(ref state, parts.Index, parts.Finish, output));
    }

    private bool WriteDelta(ref Choice state, int index, ReadOnlySpan<byte> delta, ReadOnlySpan<byte> logprobs, ByteBuffer output)
    {
        ReadOnlySpan<byte> content = default;
        ReadOnlySpan<byte> reasoning = default;
        ReadOnlySpan<byte> refusal = default;
        ReadOnlySpan<byte> calls = default;
        if (!delta.IsEmpty)
        {
            var reader = new Utf8JsonReader(delta);
            reader.Read();
            while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
            {
                if (reader.ValueTextEquals("content"u8))
                {
                    content = Raw(ref reader, delta);
                }
                else if (reader.ValueTextEquals("reasoning"u8) || reader.ValueTextEquals("reasoning_content"u8))
                {
                    var text = Raw(ref reader, delta);
                    reasoning = IsText(text) ? text : reasoning;
                }
                else if (reader.ValueTextEquals("refusal"u8))
                {
                    refusal = Raw(ref reader, delta);
                }
                else if (reader.ValueTextEquals("tool_calls"u8))
                {
                    calls = Raw(ref reader, delta);
                }
                else
                {
                    reader.Read();
                    reader.Skip();
                }
            }
        }

        var hasCalls = calls.Length > 2;
        if (!state.IsBegun)
        {
            state.IsBegun = true;
            BeginEvent(output, index).Append(hasCalls && !IsText(content) ? ",\"delta\":{\"role\":\"assistant\",\"content\":null},\"finish_reason\":null"u8 : ",\"delta\":{\"role\":\"assistant\",\"content\":\"\"},\"finish_reason\":null"u8);
            EndEvent(output);
        }

        if (!IsText(content) && !IsText(reasoning) && !IsText(refusal) && !hasCalls)
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
        Member(output, "\"content\":"u8, content, ref isFirst);
        Member(output, "\"reasoning\":"u8, reasoning, ref isFirst);
        Member(output, "\"refusal\":"u8, refusal, ref isFirst);
        if (hasCalls)
        {
            if (!WriteCalls(ref state, calls, output, ref isFirst))
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
        int? index = null;
        ReadOnlySpan<byte> id = default;
        ReadOnlySpan<byte> name = default;
        ReadOnlySpan<byte> arguments = default;
        var reader = new Utf8JsonReader(call);
        reader.Read();
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            if (reader.ValueTextEquals("index"u8))
            {
                index = Number(ref reader);
            }
            else if (reader.ValueTextEquals("id"u8))
            {
                id = Raw(ref reader, call);
            }
            else if (reader.ValueTextEquals("function"u8))
            {
                reader.Read();
                if (reader.TokenType != JsonTokenType.StartObject)
                {
                    return false;
                }

                while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
                {
                    if (reader.ValueTextEquals("name"u8))
                    {
                        name = Raw(ref reader, call);
                    }
                    else if (reader.ValueTextEquals("arguments"u8))
                    {
                        arguments = Raw(ref reader, call);
                    }
                    else
                    {
                        reader.Read();
                        reader.Skip();
                    }
                }
            }
            else
            {
                reader.Read();
                reader.Skip();
            }
        }

        state.Calls ??= [];
        // A server that does not count begins a call by its name.
        var number = index ?? (IsText(name) ? state.Calls.Count : state.Calls.Count - 1);
        if (number is < 0 or > 1023)
        {
            return false;
        }

        var isNew = !state.Calls.Contains(number);
        if (isNew)
        {
            if (!IsText(name))
            {
                return false;
            }

            state.Calls.Add(number);
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
            if (IsText(id))
            {
                output.Append(id);
            }
            else
            {
                output.Append(Encoding.ASCII.GetBytes($"\"call_{Guid.NewGuid():N}\""));
            }

            output.Append(",\"type\":\"function\",\"function\":{\"name\":"u8).Append(name).Append(",\"arguments\":"u8);
        }
        else
        {
            output.Append(",\"function\":{\"arguments\":"u8);
        }

        WriteText(arguments, output);
        output.Append("}}"u8);
        return true;
    }

    /// <summary>Arguments are a text; a server that gives them as an object gives the text of it.</summary>
    private static void WriteText(ReadOnlySpan<byte> arguments, ByteBuffer output)
    {
        if (arguments.IsEmpty)
        {
            output.Append("\"\""u8);
        }
        else if (arguments[0] == '"')
        {
            output.Append(arguments);
        }
        else
        {
            output.Append("\""u8).Append(JsonEncodedText.Encode(arguments).EncodedUtf8Bytes).Append("\""u8);
        }
    }

    private static void Member(ByteBuffer output, ReadOnlySpan<byte> name, ReadOnlySpan<byte> value, ref bool isFirst)
    {
        if (IsText(value))
        {
            output.Append(isFirst ? default : ","u8).Append(name).Append(value);
            isFirst = false;
        }
    }
}
