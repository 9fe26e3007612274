using System.Text.Json;

namespace Cube.Inference.Translation;

/// <summary>What an answer cost, in tokens. The total is the sum, whatever a model server says.</summary>
/// <param name="IsEstimated">The model server did not come to say it.</param>
public readonly record struct TokenUsage(long Prompt, long Completion, long? Cached = null, long? Reasoning = null, bool IsEstimated = false)
{
    private const int BytesOfToken = 4;

    /// <summary>Of an answer that its client left before the model server told.</summary>
    /// <param name="bytes">Length of the request.</param>
    /// <param name="events">Pieces of the answer that came; each is about a token.</param>
    public static TokenUsage Estimate(int bytes, int events) => new(Math.Max(bytes / BytesOfToken, 1), events, IsEstimated: true);

    public long Total => Prompt + Completion;

    /// <summary>Reads the value that the reader is about to read.</summary>
    /// <returns>Null where it is no object.</returns>
    public static TokenUsage? Read(ref Utf8JsonReader reader)
    {
        if (!reader.Read() || reader.TokenType != JsonTokenType.StartObject)
        {
            reader.Skip();
            return null;
        }

        var usage = default(TokenUsage);
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            if (reader.ValueTextEquals("prompt_tokens"u8))
            {
                usage = usage with { Prompt = ReadCount(ref reader) ?? 0 };
            }
            else if (reader.ValueTextEquals("completion_tokens"u8))
            {
                usage = usage with { Completion = ReadCount(ref reader) ?? 0 };
            }
            else if (reader.ValueTextEquals("prompt_tokens_details"u8))
            {
                usage = usage with { Cached = ReadDetail(ref reader, "cached_tokens"u8) };
            }
            else if (reader.ValueTextEquals("completion_tokens_details"u8))
            {
                usage = usage with { Reasoning = ReadDetail(ref reader, "reasoning_tokens"u8) };
            }
            else
            {
                reader.Read();
                reader.Skip();
            }
        }

        return usage;
    }

    /// <param name="includesCompletion">False for embeddings, which complete nothing.</param>
    public void Write(ByteBuffer output, bool includesCompletion = true)
    {
        output.Append("{\"prompt_tokens\":"u8).Append(Prompt);
        if (includesCompletion)
        {
            output.Append(",\"completion_tokens\":"u8).Append(Completion);
        }

        output.Append(",\"total_tokens\":"u8).Append(Total);
        if (Cached is { } cached)
        {
            output.Append(",\"prompt_tokens_details\":{\"cached_tokens\":"u8).Append(cached).Append("}"u8);
        }

        if (Reasoning is { } reasoning)
        {
            output.Append(",\"completion_tokens_details\":{\"reasoning_tokens\":"u8).Append(reasoning).Append("}"u8);
        }

        output.Append("}"u8);
    }

    private static long? ReadCount(ref Utf8JsonReader reader) => JsonBytes.ReadInteger(ref reader) is { } count ? Math.Max(count, 0) : null;

    private static long? ReadDetail(ref Utf8JsonReader reader, ReadOnlySpan<byte> name)
    {
        reader.Read();
        if (reader.TokenType != JsonTokenType.StartObject)
        {
            reader.Skip();
            return null;
        }

        long? found = null;
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            if (reader.ValueTextEquals(name))
            {
                found = ReadCount(ref reader);
            }
            else
            {
                reader.Read();
                reader.Skip();
            }
        }

        return found;
    }
}
