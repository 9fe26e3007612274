using System.Text.Json;

namespace Cube.Inference.Streaming;

/// <summary>
/// Reads the events of a model server's stream in OpenAI's format. An event that reports an error, or that has an unexpected format, fails the stream. No memory is allocated for an event.
/// </summary>
internal abstract class OpenAiStream(ClientRequest request) : IStreamTranslator
{
    public string ContentType => "text/event-stream; charset=utf-8";

    public bool IsLineDelimited => false;

    public TokenUsage? Usage { get; private set; }

    /// <summary>Number of choices that have ended.</summary>
    protected int Finished { get; set; }

    protected ClientRequest Request => request;

    /// <summary>Translates events that repeat; null if the output depends on more than the event.</summary>
    protected virtual EventTemplate? Template => null;

    public StreamStep Write(ReadOnlySpan<byte> data, ByteBuffer output)
    {
        if (data.SequenceEqual("[DONE]"u8) || data.TrimEnd((byte)' ').SequenceEqual("[DONE]"u8))
        {
            return Complete(output);
        }

        if (Template?.TryWrite(data, output) is true)
        {
            return StreamStep.More;
        }

        var mark = output.Length;
        try
        {
            if (!data.IsEmpty && WriteEvent(data, output))
            {
                Template?.Learn(data, output.Written.Span[mark..]);
                return StreamStep.More;
            }
        }
        catch (Exception exception) when (exception is JsonException or InvalidOperationException)
        {
            // The event is not JSON, or has an unexpected format.
        }

        output.Truncate(mark);
        return StreamStep.Failed;
    }

    /// <summary>Ends the stream normally if every choice has a finish reason; otherwise the stream fails.</summary>
    public StreamStep Complete(ByteBuffer output)
    {
        if (Finished < Request.Choices)
        {
            return StreamStep.Failed;
        }

        WriteEnd(output);
        return StreamStep.Done;
    }

    /// <summary>Writes the events after the last choice has ended.</summary>
    protected abstract void WriteEnd(ByteBuffer output);

    public virtual void WriteError(OpenAiError failure, ByteBuffer output) => output.Append("data: "u8).Append(failure.ToJson().Span).Append("\n\n"u8);

    /// <returns>False if the event reports a failure or has no content.</returns>
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
            if (reader.ValueTextEquals("usage"u8))
            {
                hasContent |= ReadUsage(ref reader);
                continue;
            }

            var (isChoices, isError, isModel) = (reader.ValueTextEquals("choices"u8), reader.ValueTextEquals("error"u8), reader.ValueTextEquals("model"u8));
            reader.Read();
            if (isChoices && reader.TokenType != JsonTokenType.Null)
            {
                hasContent = true;
                if (!WriteChoices(ref reader, data, output))
                {
                    return false;
                }
            }
            else if (isError && reader.TokenType != JsonTokenType.Null)
            {
                return false;
            }
            else if (isModel && reader.TokenType == JsonTokenType.String && reader.ValueSpan.IsEmpty)
            {
                // Ollama sends this as the last event after the process of the model has crashed.
                return false;
            }
            else
            {
                reader.Skip();
            }
        }

        return hasContent;
    }

    private bool ReadUsage(ref Utf8JsonReader reader)
    {
        if (TokenUsage.Read(ref reader) is not { } usage)
        {
            return false;
        }

        Usage = usage;
        return true;
    }

    private bool WriteChoices(ref Utf8JsonReader reader, ReadOnlySpan<byte> data, ByteBuffer output)
    {
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

        return true;
    }

    /// <returns>False if the choice is invalid.</returns>
    protected abstract bool WriteChoice(ReadOnlySpan<byte> choice, ByteBuffer output);
}
