using Cube.Inference.Chat;
using Cube.Inference.Streaming;

namespace Cube.Inference.Completions;

/// <summary>A streamed answer of the old endpoint.</summary>
internal sealed class CompletionStream(ClientRequest request, DateTimeOffset now) : ChunkStream(request, "text_completion", "cmpl-", now)
{
    private readonly bool[] _isFinished = new bool[request.Choices];

    protected override bool WriteChoice(ReadOnlySpan<byte> choice, ByteBuffer output)
    {
        var parts = StreamedChoice.Parse(choice, "text"u8);
        var index = parts.Index;
        if ((uint)index >= (uint)_isFinished.Length || (_isFinished[index] && JsonBytes.IsNonEmptyString(parts.Payload)))
        {
            return false;
        }

        // A token without text, as the one that ends, has its entry in logprobs too.
        if (JsonBytes.IsNonEmptyString(parts.Payload) || (parts.Logprobs.Length > 0 && !_isFinished[index]))
        {
            WriteOne(output, index, JsonBytes.IsNonEmptyString(parts.Payload) ? parts.Payload : "\"\""u8, parts.Logprobs, "null"u8);
        }

        if (parts.FinishReason.IsEmpty || _isFinished[index])
        {
            return true;
        }

        var reason = parts.FinishReason.Length > 2 ? FinishReason.Of(parts.FinishReason[1..^1], hasCalls: false, ToolChoice.Auto) : default;
        if (reason.IsEmpty)
        {
            return false;
        }

        _isFinished[index] = true;
        Finished++;
        WriteOne(output, index, "\"\""u8, default, reason);
        return true;
    }

    private void WriteOne(ByteBuffer output, int index, ReadOnlySpan<byte> text, ReadOnlySpan<byte> logprobs, ReadOnlySpan<byte> finish)
    {
        BeginEvent(output, index).Append(",\"text\":"u8).Append(text).Append(",\"logprobs\":"u8);
        Logprobs.WriteOfCompletion(logprobs, output);
        output.Append(",\"finish_reason\":"u8).Append(finish);
        EndEvent(output);
    }
}
