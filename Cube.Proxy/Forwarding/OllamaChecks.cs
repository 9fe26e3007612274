using System.Net;
using System.Text;
using System.Text.Json;
using Cube.Attestation.Atls;
using Cube.Proxy.OpenAi;
using Cube.Proxy.OpenAi.Requests;
using Cube.Proxy.Routing;
using Cube.ServiceDefaults.Errors;

namespace Cube.Proxy.Forwarding;

/// <summary>
/// Two things Ollama passes over in silence behind OpenAI's paths: it cuts a prompt that is longer than the context, and drops images that the
/// model cannot see. Its own endpoints tell, so they are asked first, where it can matter.
/// </summary>
internal sealed class OllamaChecks
{
    /// <summary>No context of Ollama's is smaller, and a token has a byte at least: what is shorter fits.</summary>
    private const int SurelyFits = 2048;

    private readonly string _path;
    private readonly byte[]? _prompt;
    private readonly byte[]? _show;

    private OllamaChecks(string path, byte[]? prompt, byte[]? show) => (_path, _prompt, _show) = (path, prompt, show);

    /// <param name="endpoint">Of the request.</param>
    /// <param name="kind">The model server's.</param>
    /// <param name="outgoing">What it is about to be asked.</param>
    /// <returns>Null where there is nothing to ask first.</returns>
    public static OllamaChecks? Of(InferenceEndpoint endpoint, BackendKind kind, ReadOnlyMemory<byte> outgoing)
    {
        var isChat = endpoint == InferenceEndpoints.ChatCompletions || endpoint == InferenceEndpoints.Responses;
        if ((!isChat && endpoint != InferenceEndpoints.Completions) || kind != BackendKind.Ollama)
        {
            return null;
        }

        var hasImages = isChat && outgoing.Span.IndexOf("\"image_url\""u8) >= 0;
        if (outgoing.Length <= SurelyFits && !hasImages)
        {
            return null;
        }

        using var document = JsonDocument.Parse(outgoing, StrictJson.Rewritten);
        var request = document.RootElement;
        var model = request.GetProperty("model").GetString()!;
        return !isChat ? new OllamaChecks("/api/generate", WriteGenerate(request, model), null) : new OllamaChecks("/api/chat", WriteChat(request, model), hasImages && HasImages(request) ? JsonSerializer.SerializeToUtf8Bytes(new { model }) : null);
    }

    private static bool HasImages(JsonElement request) => request.GetProperty("messages").EnumerateArray()
        .Any(static message => message.Member("content") is { ValueKind: JsonValueKind.Array } parts && parts.EnumerateArray().Any(static part => part.GetProperty("type").ValueEquals("image_url"u8)));

    /// <returns>What the client must hear instead of an answer; null for nothing.</returns>
    public async Task<OpenAiError?> FindFaultAsync(AttestedChannel channel, Route route, CancellationToken ct)
    {
        if (_show is not null)
        {
            var (status, answer) = await AskAsync(channel, route.PathOf("/api/show"), _show, ct);
            if (status == HttpStatusCode.OK && !SeesImages(answer))
            {
                return OpenAiError.UnsupportedValue("messages", "this model reads no images");
            }
        }

        if (_prompt is not null)
        {
            var (status, answer) = await AskAsync(channel, route.PathOf(_path), _prompt, ct);
            if (status == HttpStatusCode.BadRequest && answer.AsSpan().IndexOf("exceeds the context length"u8) >= 0)
            {
                return OpenAiError.ContextLengthExceeded;
            }
        }

        return null;
    }

    private static async Task<(HttpStatusCode Status, byte[] Answer)> AskAsync(AttestedChannel channel, string path, byte[] body, CancellationToken ct)
    {
        using var message = channel.Post(path, body);
        using var response = await channel.Invoker.SendAsync(message, ct);
        await response.Content.LoadIntoBufferAsync(1 << 20, ct);
        return (response.StatusCode, await response.Content.ReadAsByteArrayAsync(ct));
    }

    /// <summary>A server that does not say what its model can is taken at its answer.</summary>
    private static bool SeesImages(byte[] show)
    {
        try
        {
            using var json = JsonDocument.Parse(show);
            return json.RootElement.Member("capabilities") is not { ValueKind: JsonValueKind.Array } capabilities || capabilities.EnumerateArray().Any(static one => one.ValueEquals("vision"u8));
        }
        catch (JsonException)
        {
            return true;
        }
    }

    /// <summary>The same prompt in Ollama's own words, for one token and without being cut.</summary>
    /// <returns>Null where it cannot be said so.</returns>
    private static byte[]? WriteChat(JsonElement request, string model)
    {
        using var output = new ByteBuffer(4096);
        using (var json = new Utf8JsonWriter(output))
        {
            Begin(json, model);
            if (request.Member("tools") is { } tools)
            {
                json.WriteRaw("tools", tools);
            }

            json.WriteStartArray("messages");
            foreach (var message in request.GetProperty("messages").EnumerateArray())
            {
                if (!TryWriteMessage(message, json))
                {
                    return null;
                }
            }

            json.WriteEndArray();
            json.WriteEndObject();
        }

        return output.Written.ToArray();
    }

    private static byte[] WriteGenerate(JsonElement request, string model)
    {
        using var output = new ByteBuffer(4096);
        using (var json = new Utf8JsonWriter(output))
        {
            Begin(json, model);
            json.WriteRaw("prompt", request.GetProperty("prompt"));
            if (request.Member("suffix") is { } suffix)
            {
                json.WriteRaw("suffix", suffix);
            }

            json.WriteEndObject();
        }

        return output.Written.ToArray();
    }

    private static void Begin(Utf8JsonWriter json, string model)
    {
        json.WriteStartObject();
        json.WriteString("model", model);
        json.WriteBoolean("stream", false);
        json.WriteBoolean("truncate", false);
        json.WriteStartObject("options");
        json.WriteNumber("num_predict", 1);
        json.WriteEndObject();
    }

    private static bool TryWriteMessage(JsonElement message, Utf8JsonWriter json)
    {
        json.WriteStartObject();
        var role = message.GetProperty("role");
        json.WriteString("role", role.ValueEquals("developer"u8) ? "system" : role.GetString());
        var text = new StringBuilder();
        var images = new List<string>();
        foreach (var part in message.Member("content") is { } content ? content.ValueKind == JsonValueKind.Array ? content.EnumerateArray().ToArray() : [content] : [])
        {
            if (part.ValueKind == JsonValueKind.Object && part.Member("image_url")?.Member("url") is { } url)
            {
                images.Add(url.GetString()!);
                continue;
            }

            text.Append(text.Length > 0 ? "\n" : "").Append(part.ValueKind == JsonValueKind.String ? part.GetString() : part.Member("text")?.GetString());
        }

        json.WriteString("content", text.ToString());
        if (images.Count > 0)
        {
            json.WriteStartArray("images");
            images.ForEach(image => json.WriteStringValue(image[(image.IndexOf(',', StringComparison.Ordinal) + 1)..]));
            json.WriteEndArray();
        }

        if (message.Member("tool_calls") is { } calls)
        {
            json.WriteStartArray("tool_calls");
            foreach (var call in calls.EnumerateArray())
            {
                var function = call.GetProperty("function");
                try
                {
                    using var arguments = JsonDocument.Parse(function.GetProperty("arguments").GetString()!);
                    json.WriteStartObject();
                    json.WriteStartObject("function");
                    json.WriteRaw("name", function.GetProperty("name"));
                    json.WriteRaw("arguments", arguments.RootElement);
                    json.WriteEndObject();
                    json.WriteEndObject();
                }
                catch (JsonException)
                {
                    return false;
                }
            }

            json.WriteEndArray();
        }

        json.WriteEndObject();
        return true;
    }
}
