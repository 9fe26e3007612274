using System.Text.Json;

namespace Cube.Inference.Ollama;

/// <summary>Translates the responses of Ollama's endpoints for chats, completions and embeddings.</summary>
internal sealed class OllamaResponseTranslator : ResponseTranslator
{
    public static OllamaResponseTranslator Instance { get; } = new();

    public override IStreamTranslator BeginStream(ClientRequest request, TimeProvider time) => new OllamaStream(request);

    public override BufferedResponse WriteBuffered(ReadOnlyMemory<byte> body, string? mediaType, ClientRequest request, DateTimeOffset now, ByteBuffer output)
    {
        if (mediaType != "application/json")
        {
            throw new JsonException("The model server's response is not JSON.");
        }

        var json = body.Span is [0xEF, 0xBB, 0xBF, ..] ? body[3..] : body;
        return OllamaResponse.Write(json.Span, JsonSerializer.SerializeToUtf8Bytes(request.Model), output, out var usage, out _)
            ? new BufferedResponse("application/json", usage)
            : throw new JsonException("The model server's response is an error.");
    }
}
