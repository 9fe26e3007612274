using System.Text.Json;

namespace Cube.Inference.Translation;

/// <summary>The tokens of a request and its response. The total is always the sum; the model server's total is not used.</summary>
/// <param name="IsEstimated">The proxy estimated the numbers because the model server reported none.</param>
public readonly record struct TokenUsage(long Prompt, long Completion, long? Cached = null, long? Reasoning = null, bool IsEstimated = false)
{
    private const int BytesPerToken = 4;

    /// <summary>Estimates the usage of a stream that the client closed before the model server reported it.</summary>
    /// <param name="bytes">Length of the request body in bytes.</param>
    /// <param name="events">Events that the proxy has forwarded; each has about one token.</param>
    public static TokenUsage Estimate(int bytes, int events) => new(Math.Max(bytes / BytesPerToken, 1), events, IsEstimated: true);

    public long Total => Prompt + Completion;

    /// <summary>Reads the next value.</summary>
    /// <returns>Null if the value is not an object.</returns>
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

    /// <param name="includesCompletion">False for endpoints that generate no tokens, such as embeddings.</param>
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
