namespace Cube.Inference.Chat;

/// <summary>The content of a <c>delta</c> or a <c>message</c>: the raw bytes of each member, empty if it is absent or null.</summary>
internal ref struct ChatDelta
{
    public ReadOnlySpan<byte> Content;

    /// <summary><c>reasoning</c>, or <c>reasoning_content</c> as older versions of vLLM name it.</summary>
    public ReadOnlySpan<byte> Reasoning;

    public ReadOnlySpan<byte> Refusal;

    /// <summary>An array of tool calls, or of parts of them.</summary>
    public ReadOnlySpan<byte> Calls;

    public readonly bool HasCalls => Calls.Length > 2;

    public readonly bool IsEmpty => !JsonBytes.IsNonEmptyString(Content) && !JsonBytes.IsNonEmptyString(Reasoning) && !JsonBytes.IsNonEmptyString(Refusal) && !HasCalls;

    /// <param name="json">The object; may be empty.</param>
    public static ChatDelta Parse(ReadOnlySpan<byte> json)
    {
        var delta = default(ChatDelta);
        if (json.IsEmpty)
        {
            return delta;
        }

        var members = new JsonObjectReader(json);
        while (members.TryReadName())
        {
            if (members.NameEquals("content"u8))
            {
                delta.Content = members.ReadRaw();
            }
            else if (members.NameEquals("reasoning"u8) || members.NameEquals("reasoning_content"u8))
            {
                var text = members.ReadRaw();
                delta.Reasoning = JsonBytes.IsNonEmptyString(text) ? text : delta.Reasoning;
            }
            else if (members.NameEquals("refusal"u8))
            {
                delta.Refusal = members.ReadRaw();
            }
            else if (members.NameEquals("tool_calls"u8))
            {
                delta.Calls = members.ReadRaw();
            }
        }

        return delta;
    }
}
