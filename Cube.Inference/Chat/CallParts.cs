using System.Text.Json;

namespace Cube.Inference.Chat;

/// <summary>One element of <c>tool_calls</c>: a tool call, or in a stream a part of one. Each member as its bytes stand, empty where it is absent or null.</summary>
internal ref struct CallParts
{
    public int? Index;
    public ReadOnlySpan<byte> Id;
    public ReadOnlySpan<byte> Name;
    public ReadOnlySpan<byte> Arguments;

    /// <summary>It says nothing about any call.</summary>
    public readonly bool IsEmpty => !JsonBytes.IsText(Id) && !JsonBytes.IsText(Name) && !HasArguments;

    public readonly bool HasArguments => Arguments.Length > 0 && !Arguments.SequenceEqual("\"\""u8);

    /// <summary>Reads the next element of an array.</summary>
    /// <param name="reader">Stands in the array; moves past the element.</param>
    /// <param name="calls">What the reader reads.</param>
    /// <param name="parts">The element; an empty one for null.</param>
    /// <returns>False at the end of the array.</returns>
    /// <exception cref="JsonException">The element is not a tool call.</exception>
    public static bool TryReadNext(ref Utf8JsonReader reader, ReadOnlySpan<byte> calls, out CallParts parts)
    {
        parts = default;
        reader.Read();
        switch (reader.TokenType)
        {
            case JsonTokenType.EndArray:
                return false;
            case JsonTokenType.Null:
                return true;
            case JsonTokenType.StartObject:
                var start = (int)reader.TokenStartIndex;
                reader.Skip();
                parts = Parse(calls[start..(int)reader.BytesConsumed]);
                return true;
            default:
                throw new JsonException("A tool call is not an object.");
        }
    }

    private static CallParts Parse(ReadOnlySpan<byte> json)
    {
        var parts = default(CallParts);
        var reader = new Utf8JsonReader(json);
        reader.Read();
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            if (reader.ValueTextEquals("index"u8))
            {
                parts.Index = JsonBytes.Number(ref reader);
            }
            else if (reader.ValueTextEquals("id"u8))
            {
                parts.Id = JsonBytes.Raw(ref reader, json);
            }
            else if (reader.ValueTextEquals("function"u8))
            {
                ParseFunction(JsonBytes.Raw(ref reader, json), ref parts);
            }
            else
            {
                reader.Read();
                reader.Skip();
            }
        }

        return parts;
    }

    private static void ParseFunction(ReadOnlySpan<byte> json, ref CallParts parts)
    {
        // Some servers send null for what has not changed.
        if (json.IsEmpty)
        {
            return;
        }

        var reader = new Utf8JsonReader(json);
        reader.Read();
        if (reader.TokenType != JsonTokenType.StartObject)
        {
            throw new JsonException("The function of a tool call is not an object.");
        }

        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            if (reader.ValueTextEquals("name"u8))
            {
                parts.Name = JsonBytes.Raw(ref reader, json);
            }
            else if (reader.ValueTextEquals("arguments"u8))
            {
                parts.Arguments = JsonBytes.Raw(ref reader, json);
            }
            else
            {
                reader.Read();
                reader.Skip();
            }
        }
    }

    /// <summary>The arguments as the inside of a JSON text. A server that gives them as an object gives the text of that object.</summary>
    public readonly ReadOnlySpan<byte> ArgumentsText() =>
        Arguments.IsEmpty ? default : Arguments[0] == '"' ? Arguments[1..^1] : JsonEncodedText.Encode(Arguments).EncodedUtf8Bytes;
}
