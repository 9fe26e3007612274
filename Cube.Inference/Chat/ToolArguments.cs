using System.Text.Json;

namespace Cube.Inference.Chat;

/// <summary>
/// The arguments of tool calls in the messages of a request. OpenAI accepts an empty string for a call without arguments. Ollama and vLLM parse the string and fail if it is empty, so the proxy sends <c>{}</c>.
/// </summary>
internal static class ToolArguments
{
    /// <exception cref="RequestRejectedException">The arguments are not a string.</exception>
    public static void Check(JsonElement owner, string param)
    {
        if (owner.Member("arguments") is { } arguments)
        {
            FieldChecks.String(arguments, $"{param}.arguments");
        }
    }

    /// <summary>Writes the arguments as a string with JSON text (OpenAI's format).</summary>
    public static void WriteString(JsonElement owner, Utf8JsonWriter json)
    {
        json.WritePropertyName("arguments");
        if (owner.Member("arguments") is not { } arguments || IsNone(arguments))
        {
            json.WriteStringValue("{}"u8);
        }
        else
        {
            json.WriteRaw(arguments);
        }
    }

    /// <summary>Writes the arguments as an object (Ollama's format).</summary>
    public static void WriteObject(JsonElement owner, Utf8JsonWriter json)
    {
        json.WritePropertyName("arguments");
        if (owner.Member("arguments") is { ValueKind: JsonValueKind.Object } arguments)
        {
            json.WriteRaw(arguments);
        }
        else
        {
            json.WriteStartObject();
            json.WriteEndObject();
        }
    }

    /// <returns>Whether the value is an empty string or the JSON text <c>null</c>.</returns>
    public static bool IsNone(JsonElement arguments) =>
        arguments.ValueKind == JsonValueKind.String && arguments.GetString() is var text && (string.IsNullOrWhiteSpace(text) || text.AsSpan().Trim() is "null");
}
