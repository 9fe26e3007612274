using System.Text.Json;

namespace Cube.Inference.Ollama;

/// <summary>Translates the response to a change of models to <c>{"status":"success"}</c>. Ollama returns the same or an empty body.</summary>
internal sealed class ModelManagementResponseTranslator : ResponseTranslator
{
    public static ModelManagementResponseTranslator Instance { get; } = new();

    public override IStreamTranslator BeginStream(ClientRequest request, TimeProvider time) => new ModelManagementStream();

    public override BufferedResponse WriteBuffered(ReadOnlyMemory<byte> body, string? mediaType, ClientRequest request, DateTimeOffset now, ByteBuffer output)
    {
        if (!body.IsEmpty)
        {
            using var document = JsonDocument.Parse(body);
            if (document.RootElement.ValueKind != JsonValueKind.Object || document.RootElement.Member("status") is not { ValueKind: JsonValueKind.String } status || !status.ValueEquals("success"u8))
            {
                throw new JsonException("The model server did not report success.");
            }
        }

        output.Append("{\"status\":\"success\"}"u8);
        return new BufferedResponse("application/json", null);
    }
}
