using System.Text;
using System.Text.Json;

namespace Cube.Inference.Streaming;

/// <summary>
/// A stream of chunks in OpenAI's format: all chunks have the same id, model and time. The usage is in the last chunk if the client requested it. The stream ends with <c>[DONE]</c> after every choice has
/// ended.
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
        _suffix = [.. (request.IncludesUsage ? "],\"usage\":null}\n\n"u8 : "]}\n\n"u8)];
    }

    protected override void WriteEnd(ByteBuffer output)
    {
        if (Request.IncludesUsage && Usage is { } usage)
        {
            output.Append(_prefix).Append("],\"usage\":"u8);
            usage.Write(output);
            output.Append("}\n\n"u8);
        }

        output.Append("data: [DONE]\n\n"u8);
    }

    /// <summary>Begins an event with one choice. Call <see cref="EndEvent"/> after the members of the choice.</summary>
    protected ByteBuffer BeginEvent(ByteBuffer output, int index) => output.Append(_prefix).Append("{\"index\":"u8).Append(index);

    protected void EndEvent(ByteBuffer output) => output.Append("}"u8).Append(_suffix);
}
