using Cube.Inference.Chat;
using Cube.Inference.Streaming;

namespace Cube.Inference.Audio;

/// <summary>A streamed transcription: what is heard piece by piece, and at the end the whole.</summary>
internal sealed class TranscriptionStream(ClientRequest request) : OpenAiStream(request), IDisposable
{
    private readonly ByteBuffer _text = new();

    protected override bool WriteChoice(ReadOnlySpan<byte> choice, ByteBuffer output)
    {
        var parts = StreamedChoice.Parse(choice, "delta"u8);
        var text = ChatDelta.Parse(parts.Payload).Content;
        if (JsonBytes.IsNonEmptyString(text))
        {
            if (Finished > 0)
            {
                return false;
            }

            _text.Append(text[1..^1]);
            output.Append("data: {\"type\":\"transcript.text.delta\",\"delta\":"u8).Append(text).Append("}\n\n"u8);
        }

        if (parts.FinishReason.IsEmpty)
        {
            return true;
        }

        Finished = 1;
        return parts.FinishReason.Length > 2 && !FinishReason.Of(parts.FinishReason[1..^1], hasCalls: false, ToolChoice.Auto).IsEmpty;
    }

    protected override void WriteEnd(ByteBuffer output)
    {
        output.Append("data: {\"type\":\"transcript.text.done\",\"text\":\""u8).Append(_text.Written.Span).Append("\""u8);
        if (Usage is { } usage)
        {
            output.Append(",\"usage\":{\"type\":\"tokens\",\"input_tokens\":"u8).Append(usage.Prompt).Append(",\"output_tokens\":"u8).Append(usage.Completion).Append(",\"total_tokens\":"u8).Append(usage.Total).Append("}"u8);
        }

        output.Append("}\n\n"u8);
    }

    public void Dispose() => _text.Dispose();
}
