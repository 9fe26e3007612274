using System.Text.Json;
using Cube.Proxy.OpenAi.Requests;

namespace Cube.Proxy.OpenAi.Answers;

/// <summary>A streamed answer of the old endpoint.</summary>
internal sealed class CompletionStream(ClientRequest request, DateTimeOffset now) : AnswerStream(request, "text_completion", "cmpl-", now)
{
    private readonly bool[] _isFinished = new bool[request.Choices];

    protected override bool WriteChoice(ReadOnlySpan<byte> choice, ByteBuffer output)
    {
        var reader = new Utf8JsonReader(choice);
        reader.Read();
        var index = 0;
        ReadOnlySpan<byte> text = default;
        ReadOnlySpan<byte> finish = default;
        ReadOnlySpan<byte> logprobs = default;
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            if (reader.ValueTextEquals("index"u8))
            {
                index = Number(ref reader) ?? -1;
            }
            else if (reader.ValueTextEquals("text"u8))
            {
                text = Raw(ref reader, choice);
            }
            else if (reader.ValueTextEquals("finish_reason"u8))
            {
                finish = Raw(ref reader, choice);
            }
            else if (reader.ValueTextEquals("logprobs"u8))
            {
                logprobs = Raw(ref reader, choice);
            }
            else
            {
                reader.Read();
                reader.Skip();
            }
        }

        if ((uint)index >= (uint)_isFinished.Length || (_isFinished[index] && IsText(text)))
        {
            return false;
        }

        if (IsText(text))
        {
            WriteOne(output, index, text, logprobs, "null"u8);
        }

        if (finish.IsEmpty || _isFinished[index])
        {
            return true;
        }

        var reason = finish.Length > 2 ? FinishReason.Of(finish[1..^1], hasCalls: false, ToolChoice.Auto) : default;
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
        BeginEvent(output, index).Append(",\"text\":"u8).Append(text).Append(",\"logprobs\":"u8).Append(logprobs.IsEmpty ? "null"u8 : logprobs).Append(",\"finish_reason\":"u8).Append(finish);
        EndEvent(output);
    }
}
