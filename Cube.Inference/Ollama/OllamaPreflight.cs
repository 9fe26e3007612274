using System.Text;
using System.Text.Json;

namespace Cube.Inference.Ollama;

/// <summary>
/// At OpenAI's paths Ollama changes two kinds of requests without an error: it truncates prompts that exceed the context length, and it drops images that the model does not support. The endpoints of Ollama's API report
/// both, so the proxy calls them first if a request could be affected.
/// </summary>
internal static class OllamaPreflight
{
    /// <summary>The smallest context length of Ollama in tokens. A token has at least one byte, so a request of at most this many bytes always fits.</summary>
    private const int MinContextLength = 2048;

    /// <param name="path">The request's path in OpenAI's API.</param>
    /// <param name="body">The request body for Ollama.</param>
    public static IReadOnlyList<PreflightQuestion> For(string path, ReadOnlyMemory<byte> body)
    {
        var isChat = path == "/v1/chat/completions";
        if (!isChat && path != "/v1/completions")
        {
            return [];
        }

        var hasImages = isChat && body.Span.IndexOf("\"image_url\""u8) >= 0;
        if (body.Length <= MinContextLength && !hasImages)
        {
            return [];
        }

        using var document = JsonDocument.Parse(body, StrictJson.Rewritten);
        var request = document.RootElement;
        var model = request.GetProperty("model").GetString() ?? "";
        var questions = new List<PreflightQuestion>(2);
        if (hasImages && HasImages(request))
        {
            questions.Add(new PreflightQuestion("/api/show", JsonSerializer.SerializeToUtf8Bytes(new { model }), FindErrorOfShow));
        }

        if ((isChat ? WriteChat(request, model) : WriteGenerate(request, model)) is { } prompt)
        {
            questions.Add(new PreflightQuestion(isChat ? "/api/chat" : "/api/generate", prompt, FindErrorOfPrompt));
        }

        return questions;
    }

    private static bool HasImages(JsonElement request) => request.GetProperty("messages").EnumerateArray()
        .Any(static message => message.Member("content") is { ValueKind: JsonValueKind.Array } parts && parts.EnumerateArray().Any(static part => part.GetProperty("type").ValueEquals("image_url"u8)));

    private static OpenAiError? FindErrorOfShow(int status, ReadOnlyMemory<byte> body) =>
        status == 200 && !SupportsImages(body) ? OpenAiError.UnsupportedValue("messages", "this model does not support images") : null;

    private static OpenAiError? FindErrorOfPrompt(int status, ReadOnlyMemory<byte> body) =>
        status == 400 && body.Span.IndexOf("exceeds the context length"u8) >= 0 ? OpenAiError.ContextLengthExceeded : null;

    /// <summary>True if the server does not report the capabilities.</summary>
    private static bool SupportsImages(ReadOnlyMemory<byte> show)
    {
        try
        {
            using var json = JsonDocument.Parse(show);
            return json.RootElement.Member("capabilities") is not { ValueKind: JsonValueKind.Array } capabilities || capabilities.EnumerateArray().Any(static capability => capability.ValueEquals("vision"u8));
        }
        catch (JsonException)
        {
            return true;
        }
    }

    /// <summary>Writes the same prompt as a request of Ollama's API that generates one token and does not truncate the prompt.</summary>
    /// <returns>Null if Ollama's API cannot express the prompt.</returns>
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
                images.Add(url.GetString() ?? "");
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

        if (message.Member("tool_calls") is { } calls && !TryWriteCalls(calls, json))
        {
            return false;
        }

        json.WriteEndObject();
        return true;
    }

    /// <returns>False if the arguments of a call are not JSON.</returns>
    private static bool TryWriteCalls(JsonElement calls, Utf8JsonWriter json)
    {
        json.WriteStartArray("tool_calls");
        foreach (var call in calls.EnumerateArray())
        {
            var function = call.GetProperty("function");
            try
            {
                using var arguments = JsonDocument.Parse(function.GetProperty("arguments").GetString() ?? "");
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
        return true;
    }
}
