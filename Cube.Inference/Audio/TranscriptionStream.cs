using Cube.Inference.Chat;
using Cube.Inference.Streaming;

namespace Cube.Inference.Audio;

/// <summary>Translates the stream of a transcription: one event for each piece of text, and a last event with the whole text.</summary>
internal sealed class TranscriptionStream(ClientRequest request) : OpenAiStream(request), IDisposable
{
    private readonly ByteBuffer _text = new();

    protected override bool WriteChoice(ReadOnlySpan<byte> choice, ByteBuffer output)
    {
        var part = StreamedChoice.Parse(choice, "delta"u8);
        var text = ChatDelta.Parse(part.Payload).Content;
        if (JsonBytes.IsNonEmptyString(text))
        {
            if (Finished > 0)
            {
                return false;
            }

            _text.Append(text[1..^1]);
            output.Append("data: {\"type\":\"transcript.text.delta\",\"delta\":"u8).Append(text).Append("}\n\n"u8);
        }

        if (part.FinishReason.IsEmpty)
        {
            return true;
        }

        Finished = 1;
        return part.FinishReason.Length > 2 && !FinishReason.Of(part.FinishReason[1..^1], hasCalls: false, ToolChoice.Auto).IsEmpty;
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
