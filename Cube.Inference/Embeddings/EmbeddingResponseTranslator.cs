using System.Text.Json;

namespace Cube.Inference.Embeddings;

/// <summary>Translates the response of <c>/v1/embeddings</c>.</summary>
internal sealed class EmbeddingResponseTranslator : JsonResponseTranslator
{
    protected override TokenUsage? Write(JsonElement root, ClientRequest request, DateTimeOffset now, ByteBuffer output)
    {
        output.Append("{\"object\":\"list\",\"data\":["u8);
        if (root.Member("embeddings") is { } embeddings)
        {
            return WriteOllamaEmbeddings(embeddings, root, request, output);
        }

        var index = 0;
        foreach (var item in InOrder(root.GetProperty("data")))
        {
            output.Append(index == 0 ? default : ","u8).Append("{\"object\":\"embedding\",\"index\":"u8).Append(index++).Append(",\"embedding\":"u8);
            EmbeddingWriter.Write(item.GetProperty("embedding"), request.UsesBase64, output);
            output.Append("}"u8);
        }

        return EndEmbeddings(UsageOf(root) ?? default, request, output);
    }

    private static TokenUsage EndEmbeddings(TokenUsage usage, ClientRequest request, ByteBuffer output)
    {
        output.Append("],\"model\":"u8);
        WriteModel(output, request);
        output.Append(",\"usage\":"u8);
        usage.Write(output, includesCompletion: false);
        output.Append("}"u8);
        return usage;
    }

    /// <summary>Writes the embeddings of Ollama's <c>/api/embed</c>: arrays of numbers.</summary>
    private static TokenUsage WriteOllamaEmbeddings(JsonElement embeddings, JsonElement root, ClientRequest request, ByteBuffer output)
    {
        var index = 0;
        foreach (var embedding in embeddings.EnumerateArray())
        {
            output.Append(index == 0 ? default : ","u8).Append("{\"object\":\"embedding\",\"index\":"u8).Append(index++).Append(",\"embedding\":"u8);
            EmbeddingWriter.Write(embedding, request.UsesBase64, output);
            output.Append("}"u8);
        }

        return EndEmbeddings(new TokenUsage(JsonBytes.ReadInteger(root.Member("prompt_eval_count")) ?? 0, 0), request, output);
    }
}
