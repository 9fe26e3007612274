using System.Text.Json;

namespace Cube.Inference.Chat;

/// <summary>Writes logprobs with all members that OpenAI's API requires.</summary>
internal static class Logprobs
{
    /// <summary>The value that vLLM writes for probability 0, whose logarithm JSON cannot represent.</summary>
    private static ReadOnlySpan<byte> MinLogprob => "-9999.0"u8;

    /// <param name="logprobs">The <c>logprobs</c> of a model server's chat; may be empty.</param>
    /// <returns>Whether they contain at least one token.</returns>
    public static bool HasAny(ReadOnlySpan<byte> logprobs) => logprobs.Length > 0 && logprobs[0] == '{' && ContentOf(logprobs).IndexOf((byte)'{') >= 0;

    /// <summary>Writes the logprobs of a chat.</summary>
    /// <param name="logprobs">The model server's object.</param>
    /// <param name="output">Receives the client's object.</param>
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

    /// <summary>Writes the logprobs of a completion: four arrays of the same length.</summary>
    /// <param name="logprobs">The model server's value; may be empty.</param>
    /// <param name="output">Receives the client's value.</param>
    public static void WriteOfCompletion(ReadOnlySpan<byte> logprobs, ByteBuffer output)
    {
        if (logprobs.IsEmpty || logprobs[0] != '{')
        {
            output.Append("null"u8);
            return;
        }

        var members = new JsonObjectReader(logprobs);
        var isFirst = true;
        while (members.TryReadName())
        {
            var name = members.NameEquals("tokens"u8) ? "tokens"u8
                : members.NameEquals("token_logprobs"u8) ? "token_logprobs"u8
                : members.NameEquals("top_logprobs"u8) ? "top_logprobs"u8
                : members.NameEquals("text_offset"u8) ? "text_offset"u8
                : default;
            if (!name.IsEmpty)
            {
                var value = members.ReadRaw();
                output.Append(isFirst ? "{\""u8 : ",\""u8).Append(name).Append("\":"u8).Append(value.IsEmpty ? "null"u8 : value);
                isFirst = false;
            }
        }

        output.Append(isFirst ? "null"u8 : "}"u8);
    }

    private static ReadOnlySpan<byte> ContentOf(ReadOnlySpan<byte> logprobs)
    {
        ReadOnlySpan<byte> content = default;
        var members = new JsonObjectReader(logprobs);
        while (members.TryReadName())
        {
            if (members.NameEquals("content"u8))
            {
                var value = members.ReadRaw();
                content = value.Length > 0 && value[0] == '[' ? value : content;
            }
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
        var members = new JsonObjectReader(entry);
        while (members.TryReadName())
        {
            if (members.NameEquals("token"u8))
            {
                token = members.ReadRaw();
            }
            else if (members.NameEquals("logprob"u8))
            {
                logprob = members.ReadRaw();
            }
            else if (members.NameEquals("bytes"u8))
            {
                bytes = members.ReadRaw();
            }
            else if (members.NameEquals("top_logprobs"u8))
            {
                alternatives = members.ReadRaw();
            }
        }

        output.Append("{\"token\":"u8).Append(token.Length > 0 && token[0] == '"' ? token : "\"\""u8)
            .Append(",\"logprob\":"u8).Append(logprob.Length > 0 && (logprob[0] == '-' || char.IsAsciiDigit((char)logprob[0])) ? logprob : MinLogprob)
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
