using System.Text.Json;

namespace Cube.Proxy.OpenAi.Answers;

/// <summary>What is new in an event of a chat: the bytes of each member as they stand, empty where there is none.</summary>
internal ref struct ChatDelta
{
    public ReadOnlySpan<byte> Content;
    public ReadOnlySpan<byte> Reasoning;
    public ReadOnlySpan<byte> Refusal;

    /// <summary>An array of tool calls, or of beginnings and parts of them.</summary>
    public ReadOnlySpan<byte> Calls;

    public readonly bool HasCalls => Calls.Length > 2;

    public readonly bool IsEmpty => !JsonBytes.IsText(Content) && !JsonBytes.IsText(Reasoning) && !JsonBytes.IsText(Refusal) && !HasCalls;

    /// <param name="json">A <c>delta</c>, or the <c>message</c> of a whole answer; or nothing.</param>
    public static ChatDelta Parse(ReadOnlySpan<byte> json)
    {
        var delta = default(ChatDelta);
        if (json.IsEmpty)
        {
            return delta;
        }

        var reader = new Utf8JsonReader(json);
        reader.Read();
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            if (reader.ValueTextEquals("content"u8))
            {
                delta.Content = JsonBytes.Raw(ref reader, json);
            }
            else if (reader.ValueTextEquals("reasoning"u8) || reader.ValueTextEquals("reasoning_content"u8))
            {
                var text = JsonBytes.Raw(ref reader, json);
                delta.Reasoning = JsonBytes.IsText(text) ? text : delta.Reasoning;
            }
            else if (reader.ValueTextEquals("refusal"u8))
            {
                delta.Refusal = JsonBytes.Raw(ref reader, json);
            }
            else if (reader.ValueTextEquals("tool_calls"u8))
            {
                delta.Calls = JsonBytes.Raw(ref reader, json);
            }
            else
            {
                reader.Read();
                reader.Skip();
            }
        }

        return delta;
    }
}

/// <summary>A tool call, or the part of one that an event has.</summary>
internal ref struct CallParts
{
    private const int Most = 1024;

    public int? Index;
    public ReadOnlySpan<byte> Id;
    public ReadOnlySpan<byte> Name;
    public ReadOnlySpan<byte> Arguments;

    public static bool TryParse(ReadOnlySpan<byte> json, out CallParts parts)
    {
        parts = default;
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
                reader.Read();
                if (reader.TokenType != JsonTokenType.StartObject)
                {
                    return false;
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
            else
            {
                reader.Read();
                reader.Skip();
            }
        }

        return true;
    }

    /// <param name="begun">The numbers of the calls that were begun; a new one is added.</param>
    /// <param name="number">The server's number of this one.</param>
    /// <param name="isNew">This is its beginning.</param>
    /// <returns>False where it is no call, or a part of none.</returns>
    public readonly bool TryNumber(List<int> begun, out int number, out bool isNew)
    {
        // A server that does not count begins a call by its name.
        number = Index ?? (JsonBytes.IsText(Name) ? begun.Count : begun.Count - 1);
        isNew = !begun.Contains(number);
        if (number is < 0 or >= Most || (isNew && !JsonBytes.IsText(Name)))
        {
            return false;
        }

        if (isNew)
        {
            begun.Add(number);
        }

        return true;
    }

    /// <summary>Arguments are a text; a server that gives them as an object gives the text of it.</summary>
    public static void WriteText(ReadOnlySpan<byte> arguments, ByteBuffer output)
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
}
