using System.Text.Json;

namespace Cube.Inference.Chat;

/// <summary>
/// The arguments of a call that a history repeats. OpenAI takes any text, also none, for a call without arguments; both model servers parse
/// it and fail where it is empty. So a call without arguments is written with <c>{}</c>.
/// </summary>
internal static class ToolArguments
{
    /// <exception cref="RequestRejectedException">They are neither a text nor absent.</exception>
    public static void Check(JsonElement owner, string param)
    {
        if (owner.Member("arguments") is { } arguments)
        {
            FieldChecks.Text(arguments, $"{param}.arguments");
        }
    }

    /// <summary>As OpenAI has them: a text.</summary>
    public static void WriteText(JsonElement owner, Utf8JsonWriter json)
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

    /// <summary>As Ollama has them: an object.</summary>
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

    /// <returns>Whether the text says that there are none.</returns>
    public static bool IsNone(JsonElement arguments) =>
        arguments.ValueKind == JsonValueKind.String && arguments.GetString() is var text && (string.IsNullOrWhiteSpace(text) || text.AsSpan().Trim() is "null");
}
