using System.Text.Json;

namespace Cube.Inference.Chat;

/// <summary>How likely each token was, in the members that OpenAI always has.</summary>
internal static class Logprobs
{
    /// <summary>What vLLM writes for a probability of zero, whose logarithm is no number of JSON.</summary>
    private static ReadOnlySpan<byte> Impossible => "-9999.0"u8;

    /// <param name="logprobs">A model server's <c>logprobs</c> of a chat; may be empty.</param>
    /// <returns>Whether there is an entry of at least one token.</returns>
    public static bool HasAny(ReadOnlySpan<byte> logprobs) => logprobs.Length > 0 && logprobs[0] == '{' && ContentOf(logprobs).IndexOf((byte)'{') >= 0;

    /// <param name="logprobs">A model server's object.</param>
    /// <param name="output">Where it is written.</param>
    /// <exception cref="JsonException">An entry is not an object.</exception>
    public static void Write(ReadOnlySpan<byte> logprobs, ByteBuffer output)
    {
        var content = ContentOf(logprobs);
        output.Append("{\"content\":"u8);
        if (content.IsEmpty)
        {
            output.Append("null"u8);
        }
        else
        {
            WriteEntries(content, hasAlternatives: true, output);
        }

        output.Append(",\"refusal\":null}"u8);
    }

    /// <summary>The object of the completions endpoint: four arrays of the same length.</summary>
    /// <param name="logprobs">A model server's value; empty for none.</param>
    /// <param name="output">Where it is written.</param>
    public static void WriteOfCompletion(ReadOnlySpan<byte> logprobs, ByteBuffer output)
    {
        if (logprobs.IsEmpty || logprobs[0] != '{')
        {
            output.Append("null"u8);
            return;
        }

        var reader = new Utf8JsonReader(logprobs);
        reader.Read();
        var isFirst = true;
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            var name = reader.ValueTextEquals("tokens"u8) ? "tokens"u8
                : reader.ValueTextEquals("token_logprobs"u8) ? "token_logprobs"u8
                : reader.ValueTextEquals("top_logprobs"u8) ? "top_logprobs"u8
                : reader.ValueTextEquals("text_offset"u8) ? "text_offset"u8
                : default;
            var value = JsonBytes.Raw(ref reader, logprobs);
            if (!name.IsEmpty)
            {
                output.Append(isFirst ? "{\""u8 : ",\""u8).Append(name).Append("\":"u8).Append(value.IsEmpty ? "null"u8 : value);
                isFirst = false;
            }
        }

        output.Append(isFirst ? "null"u8 : "}"u8);
    }

    private static ReadOnlySpan<byte> ContentOf(ReadOnlySpan<byte> logprobs)
    {
        ReadOnlySpan<byte> content = default;
        var reader = new Utf8JsonReader(logprobs);
        reader.Read();
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            var isContent = reader.ValueTextEquals("content"u8);
            var value = JsonBytes.Raw(ref reader, logprobs);
            content = isContent && value.Length > 0 && value[0] == '[' ? value : content;
        }

        return content;
    }

    private static void WriteEntries(ReadOnlySpan<byte> entries, bool hasAlternatives, ByteBuffer output)
    {
        var reader = new Utf8JsonReader(entries);
        reader.Read();
        output.Append("["u8);
        var isFirst = true;
        while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
        {
            if (reader.TokenType != JsonTokenType.StartObject)
            {
                throw new JsonException("An entry of logprobs is not an object.");
            }

            var start = (int)reader.TokenStartIndex;
            reader.Skip();
            output.Append(isFirst ? default : ","u8);
            isFirst = false;
            WriteEntry(entries[start..(int)reader.BytesConsumed], hasAlternatives, output);
        }

        output.Append("]"u8);
    }

    private static void WriteEntry(ReadOnlySpan<byte> entry, bool hasAlternatives, ByteBuffer output)
    {
        ReadOnlySpan<byte> token = default, logprob = default, bytes = default, alternatives = default;
        var reader = new Utf8JsonReader(entry);
        reader.Read();
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            if (reader.ValueTextEquals("token"u8))
            {
                token = JsonBytes.Raw(ref reader, entry);
            }
            else if (reader.ValueTextEquals("logprob"u8))
            {
                logprob = JsonBytes.Raw(ref reader, entry);
            }
            else if (reader.ValueTextEquals("bytes"u8))
            {
                bytes = JsonBytes.Raw(ref reader, entry);
            }
            else if (reader.ValueTextEquals("top_logprobs"u8))
            {
                alternatives = JsonBytes.Raw(ref reader, entry);
            }
            else
            {
                reader.Read();
                reader.Skip();
            }
        }

        output.Append("{\"token\":"u8).Append(token.Length > 0 && token[0] == '"' ? token : "\"\""u8)
            .Append(",\"logprob\":"u8).Append(logprob.Length > 0 && (logprob[0] == '-' || char.IsAsciiDigit((char)logprob[0])) ? logprob : Impossible)
            .Append(",\"bytes\":"u8).Append(bytes.Length > 0 && bytes[0] == '[' ? bytes : "null"u8);
        if (hasAlternatives)
        {
            output.Append(",\"top_logprobs\":"u8);
            if (alternatives.Length > 0 && alternatives[0] == '[')
            {
                WriteEntries(alternatives, hasAlternatives: false, output);
            }
            else
            {
                output.Append("[]"u8);
            }
        }

        output.Append("}"u8);
    }
}
