using System.Text.Json;

namespace Cube.Inference.Ollama;

/// <summary>The protocol of Ollama.</summary>
internal sealed class OllamaProtocol : BackendProtocol
{
    public static OllamaProtocol Instance { get; } = new();

    public override string Name => "ollama";

    public override BackendFeatures Features => BackendFeatures.Suffix | BackendFeatures.OllamaApi;

    /// <summary>At <c>/v1/embeddings</c> Ollama truncates an input that exceeds the context length without an error. At <c>/api/embed</c> the request can prevent this.</summary>
    public override string PathOf(string path) => path == "/v1/embeddings" ? "/api/embed" : path;

    /// <summary>Ollama rejects OpenAI's lowest and highest values.</summary>
    public override string ReasoningEffortOf(string effort) => effort switch { "minimal" => "low", "xhigh" or "max" => "high", _ => effort };

    public override void WriteOutputSchema(JsonElement schema, string param, Utf8JsonWriter json, CancellationToken ct)
    {
        OllamaSchema.Check(schema, param, ct);
        OllamaSchemaWriter.Write(schema, json);
    }

    public override void WriteToolSchema(JsonElement schema, Utf8JsonWriter json) => OllamaSchemaWriter.Write(schema, json);

    public override void WriteEmbeddingOptions(JsonElement request, Utf8JsonWriter json) => json.WriteBoolean("truncate", false);

    public override IReadOnlyList<PreflightQuestion> PreflightFor(string path, ReadOnlyMemory<byte> body) => OllamaPreflight.For(path, body);
}
