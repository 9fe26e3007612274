using System.Text.Json;

namespace Cube.Inference.Chat;

/// <summary>One element of <c>tool_calls</c>: a tool call, or in a stream a part of one. Each member has its raw bytes, empty if it is absent or null.</summary>
internal ref struct ToolCallPart
{
    public int? Index;
    public ReadOnlySpan<byte> Id;
    public ReadOnlySpan<byte> Name;
    public ReadOnlySpan<byte> Arguments;

    public readonly bool IsEmpty => !JsonBytes.IsNonEmptyString(Id) && !JsonBytes.IsNonEmptyString(Name) && !HasArguments;

    public readonly bool HasArguments => Arguments.Length > 0 && !Arguments.SequenceEqual("\"\""u8);

    /// <summary>Reads the next element of an array.</summary>
    /// <param name="reader">Is inside the array; is moved past the element.</param>
    /// <param name="calls">The JSON text of the reader.</param>
    /// <param name="part">The element; an empty one for null.</param>
    /// <returns>False at the end of the array.</returns>
    /// <exception cref="JsonException">The element is not a tool call.</exception>
    public static bool TryReadNext(ref Utf8JsonReader reader, ReadOnlySpan<byte> calls, out ToolCallPart part)
    {
        part = default;
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
                part = Parse(calls[start..(int)reader.BytesConsumed]);
                return true;
            default:
                throw new JsonException("A tool call is not an object.");
        }
    }

    private static ToolCallPart Parse(ReadOnlySpan<byte> json)
    {
        var part = default(ToolCallPart);
        var members = new JsonObjectReader(json);
        while (members.TryReadName())
        {
            if (members.NameEquals("index"u8))
            {
                part.Index = members.ReadInt32();
            }
            else if (members.NameEquals("id"u8))
            {
                part.Id = members.ReadRaw();
            }
            else if (members.NameEquals("function"u8))
            {
                ParseFunction(members.ReadRaw(), ref part);
            }
        }

        return part;
    }

    private static void ParseFunction(ReadOnlySpan<byte> json, ref ToolCallPart part)
    {
        // Some model servers send null if the function has not changed.
        if (json.IsEmpty)
        {
            return;
        }

        var members = new JsonObjectReader(json);
        if (!members.IsObject)
        {
            throw new JsonException("The function of a tool call is not an object.");
        }

        while (members.TryReadName())
        {
            if (members.NameEquals("name"u8))
            {
                part.Name = members.ReadRaw();
            }
            else if (members.NameEquals("arguments"u8))
            {
                part.Arguments = members.ReadRaw();
            }
        }
    }

    /// <summary>The arguments as the content of a JSON string, without its quotes. If the model server sent an object, its JSON text is escaped.</summary>
    public readonly ReadOnlySpan<byte> ArgumentsText() =>
        Arguments.IsEmpty ? default : Arguments[0] == '"' ? Arguments[1..^1] : JsonEncodedText.Encode(Arguments).EncodedUtf8Bytes;
}
