using System.Text.Json;

namespace Cube.Inference.Streaming;

/// <summary>
/// Reads the events of a model server's stream in OpenAI's form, and knows a failure in whatever words. It makes no object for an event.
/// </summary>
internal abstract class OpenAiStream(ClientRequest request) : IStreamTranslator
{
    public string ContentType => "text/event-stream; charset=utf-8";

    public bool IsLines => false;

    public TokenUsage? Usage { get; private set; }

    /// <summary>Choices that have ended.</summary>
    protected int Finished { get; set; }

    protected ClientRequest Request => request;

    public StreamStep Write(ReadOnlySpan<byte> data, ByteBuffer output)
    {
        if (data.SequenceEqual("[DONE]"u8) || data.TrimEnd((byte)' ').SequenceEqual("[DONE]"u8))
        {
            return Complete(output);
        }

        var mark = output.Length;
        try
        {
            if (!data.IsEmpty && WriteEvent(data, output))
            {
                return StreamStep.More;
            }
        }
        catch (Exception exception) when (exception is JsonException or InvalidOperationException)
        {
            // Not JSON, or not of this shape.
        }

        output.Truncate(mark);
        return StreamStep.Failed;
    }

    /// <summary>That it is done, or that nothing comes any more, is an end only where every choice has one.</summary>
    public StreamStep Complete(ByteBuffer output)
    {
        if (Finished < Request.Choices)
        {
            return StreamStep.Failed;
        }

        WriteEnd(output);
        return StreamStep.Done;
    }

    protected abstract void WriteEnd(ByteBuffer output);

    public virtual void WriteError(OpenAiError failure, ByteBuffer output) => output.Append("data: "u8).Append(failure.ToJson().Span).Append("\n\n"u8);

    /// <returns>False where the event says that the model server has failed.</returns>
    private bool WriteEvent(ReadOnlySpan<byte> data, ByteBuffer output)
    {
        var reader = new Utf8JsonReader(data);
        if (!reader.Read() || reader.TokenType != JsonTokenType.StartObject)
        {
            return false;
        }

        var hasContent = false;
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            if (reader.ValueTextEquals("choices"u8))
            {
                reader.Read();
                if (reader.TokenType == JsonTokenType.Null)
                {
                    continue;
                }

                hasContent = true;
                if (reader.TokenType != JsonTokenType.StartArray)
                {
                    return false;
                }

                while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
                {
                    var start = (int)reader.TokenStartIndex;
                    reader.Skip();
                    if (!WriteChoice(data[start..(int)reader.BytesConsumed], output))
                    {
                        return false;
                    }
                }
            }
            else if (reader.ValueTextEquals("usage"u8))
            {
                if (TokenUsage.Read(ref reader) is { } usage)
                {
                    (Usage, hasContent) = (usage, true);
                }
            }
            else if (reader.ValueTextEquals("error"u8))
            {
                reader.Read();
                if (reader.TokenType != JsonTokenType.Null)
                {
                    return false;
                }
            }
            else if (reader.ValueTextEquals("model"u8))
            {
                reader.Read();
                // How Ollama lets a dead model's stream end.
                if (reader.TokenType == JsonTokenType.String && reader.ValueSpan.IsEmpty)
                {
                    return false;
                }
            }
            else
            {
                reader.Read();
                reader.Skip();
            }
        }

        return hasContent;
    }

    protected abstract bool WriteChoice(ReadOnlySpan<byte> choice, ByteBuffer output);

    /// <summary>What a choice of an event has, as it stands.</summary>
    /// <param name="choice">The choice.</param>
    /// <param name="payload">The member that has what is new: <c>delta</c> or <c>text</c>.</param>
    protected static ChoiceParts Parse(ReadOnlySpan<byte> choice, ReadOnlySpan<byte> payload)
    {
        var parts = default(ChoiceParts);
        var reader = new Utf8JsonReader(choice);
        reader.Read();
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            if (reader.ValueTextEquals("index"u8))
            {
                parts.Index = JsonBytes.Number(ref reader) ?? -1;
            }
            else if (reader.ValueTextEquals(payload))
            {
                parts.Payload = JsonBytes.Raw(ref reader, choice);
            }
            else if (reader.ValueTextEquals("finish_reason"u8))
            {
                // Some servers write an empty text where OpenAI has null.
                parts.Finish = JsonBytes.Raw(ref reader, choice) is var finish && finish.SequenceEqual("\"\""u8) ? default : finish;
            }
            else if (reader.ValueTextEquals("logprobs"u8))
            {
                parts.Logprobs = JsonBytes.Raw(ref reader, choice);
            }
            else
            {
                reader.Read();
                reader.Skip();
            }
        }

        return parts;
    }

    protected ref struct ChoiceParts
    {
        /// <summary>Zero where it is not said, below zero where it is no number.</summary>
        public int Index;

        public ReadOnlySpan<byte> Payload;
        public ReadOnlySpan<byte> Finish;
        public ReadOnlySpan<byte> Logprobs;
    }
}
