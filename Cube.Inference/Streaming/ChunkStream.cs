using System.Text;
using System.Text.Json;

namespace Cube.Inference.Streaming;

/// <summary>
/// A stream of chunks, as OpenAI would send it: one id, model and time for all of them, each choice begun by its role and ended once, usage
/// where it was asked for, and an end only after every choice has ended.
/// </summary>
internal abstract class ChunkStream : OpenAiStream
{
    private readonly byte[] _prefix;
    private readonly byte[] _suffix;

    protected ChunkStream(ClientRequest request, string kind, string idPrefix, DateTimeOffset now)
        : base(request)
    {
        _prefix = Encoding.UTF8.GetBytes(
            $"data: {{\"id\":\"{idPrefix}{Guid.CreateVersion7():N}\",\"object\":\"{kind}\",\"created\":{now.ToUnixTimeSeconds()},\"model\":{JsonSerializer.Serialize(request.Model)},\"choices\":[");
        _suffix = [.. (request.WantsUsage ? "],\"usage\":null}\n\n"u8 : "]}\n\n"u8)];
    }

    protected override void WriteEnd(ByteBuffer output)
    {
        if (Request.WantsUsage && Usage is { } usage)
        {
            output.Append(_prefix).Append("],\"usage\":"u8);
            usage.Write(output);
            output.Append("}\n\n"u8);
        }

        output.Append("data: [DONE]\n\n"u8);
    }

    /// <summary>Begins an event with one choice in it; <see cref="EndEvent"/> ends it.</summary>
    protected ByteBuffer BeginEvent(ByteBuffer output, int index) => output.Append(_prefix).Append("{\"index\":"u8).Append(index);

    protected void EndEvent(ByteBuffer output) => output.Append("}"u8).Append(_suffix);
}
