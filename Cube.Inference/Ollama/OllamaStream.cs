using System.Text;
using System.Text.Json;

namespace Cube.Inference.Ollama;

/// <summary>Translates a stream of Ollama's API: lines of JSON, of which the last one has <c>done</c>. The client gets only known members, and the model's name as the client wrote it.</summary>
internal sealed class OllamaStream(ClientRequest request) : IStreamTranslator
{
    private readonly byte[] _model = JsonSerializer.SerializeToUtf8Bytes(request.Model);
    private bool _isDone;

    public string ContentType => "application/x-ndjson";

    public bool IsLineDelimited => true;

    public TokenUsage? Usage { get; private set; }

    public StreamStep Write(ReadOnlySpan<byte> data, ByteBuffer output)
    {
        var mark = output.Length;
        try
        {
            if (!_isDone && OllamaResponse.Write(data, _model, output, out var usage, out _isDone))
            {
                output.Append("\n"u8);
                Usage = usage ?? Usage;
                return StreamStep.More;
            }
        }
        catch (Exception exception) when (exception is JsonException or InvalidOperationException)
        {
            // The line is not a JSON object.
        }

        output.Truncate(mark);
        return StreamStep.Failed;
    }

    public StreamStep Complete(ByteBuffer output) => _isDone ? StreamStep.Done : StreamStep.Failed;

    public void WriteError(OpenAiError failure, ByteBuffer output) =>
        output.Append("{\"error\":"u8).Append(Encoding.UTF8.GetBytes(JsonSerializer.Serialize(failure.Message))).Append("}\n"u8);
}
