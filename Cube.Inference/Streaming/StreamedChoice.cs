namespace Cube.Inference.Streaming;

/// <summary>One choice of a stream event: the raw bytes of each member, empty if it is absent or null.</summary>
internal ref struct StreamedChoice
{
    /// <summary>0 if the member is absent; negative if it is not an integer.</summary>
    public int Index;

    /// <summary>The value of <c>delta</c> in chats, of <c>text</c> in completions.</summary>
    public ReadOnlySpan<byte> Payload;

    public ReadOnlySpan<byte> FinishReason;
    public ReadOnlySpan<byte> Logprobs;

    /// <param name="json">The choice.</param>
    /// <param name="payload">The name of the member that has the new content: <c>delta</c> or <c>text</c>.</param>
    public static StreamedChoice Parse(ReadOnlySpan<byte> json, ReadOnlySpan<byte> payload)
    {
        var choice = default(StreamedChoice);
        var members = new JsonObjectReader(json);
        while (members.TryReadName())
        {
            if (members.NameEquals("index"u8))
            {
                choice.Index = members.ReadInt32() ?? -1;
            }
            else if (members.NameEquals(payload))
            {
                choice.Payload = members.ReadRaw();
            }
            else if (members.NameEquals("finish_reason"u8))
            {
                // Some model servers send an empty string where OpenAI sends null.
                choice.FinishReason = members.ReadRaw() is var reason && reason.SequenceEqual("\"\""u8) ? default : reason;
            }
            else if (members.NameEquals("logprobs"u8))
            {
                choice.Logprobs = members.ReadRaw();
            }
        }

        return choice;
    }
}
