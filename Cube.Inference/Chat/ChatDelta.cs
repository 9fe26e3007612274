using System.Text.Json;

namespace Cube.Inference.Chat;

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
