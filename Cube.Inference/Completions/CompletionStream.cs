using Cube.Inference.Chat;
using Cube.Inference.Streaming;

namespace Cube.Inference.Completions;

/// <summary>Translates the stream of <c>/v1/completions</c>.</summary>
internal sealed class CompletionStream(ClientRequest request, DateTimeOffset now) : ChunkStream(request, "text_completion", "cmpl-", now)
{
    protected override EventTemplate? Template { get; } = new([.. "\"text\":\""u8]);

    private readonly bool[] _isFinished = new bool[request.Choices];

    protected override bool WriteChoice(ReadOnlySpan<byte> choice, ByteBuffer output)
    {
        var part = StreamedChoice.Parse(choice, "text"u8);
        var index = part.Index;
        if ((uint)index >= (uint)_isFinished.Length || (_isFinished[index] && JsonBytes.IsNonEmptyString(part.Payload)))
        {
            return false;
        }

        // A token without text, such as an end token, has logprobs too.
        if (JsonBytes.IsNonEmptyString(part.Payload) || (part.Logprobs.Length > 0 && !_isFinished[index]))
        {
            WriteChunk(output, index, JsonBytes.IsNonEmptyString(part.Payload) ? part.Payload : "\"\""u8, part.Logprobs, "null"u8);
        }

        if (part.FinishReason.IsEmpty || _isFinished[index])
        {
            return true;
        }

        var reason = part.FinishReason.Length > 2 ? FinishReason.Of(part.FinishReason[1..^1], hasCalls: false, ToolChoice.Auto) : default;
        if (reason.IsEmpty)
        {
            return false;
        }

        _isFinished[index] = true;
        Finished++;
        WriteChunk(output, index, "\"\""u8, default, reason);
        return true;
    }

    private void WriteChunk(ByteBuffer output, int index, ReadOnlySpan<byte> text, ReadOnlySpan<byte> logprobs, ReadOnlySpan<byte> finish)
    {
        BeginEvent(output, index).Append(",\"text\":"u8).Append(text).Append(",\"logprobs\":"u8);
        Logprobs.WriteOfCompletion(logprobs, output);
        output.Append(",\"finish_reason\":"u8).Append(finish);
        EndEvent(output);
    }
}
