using System.Text.Json;

namespace Cube.Inference.Ollama;

/// <summary>Writes the member <c>details</c> of a model. <c>parent_model</c> is emptied, because it can contain the path of the weights.</summary>
public static class ModelDetails
{
    private static readonly string[] _members = ["format", "family", "families", "parameter_size", "quantization_level"];

    public static void Write(JsonElement details, ByteBuffer output)
    {
        using var json = new Utf8JsonWriter(output, new JsonWriterOptions { SkipValidation = true });
        Write(details, json);
    }

    public static void Write(JsonElement details, Utf8JsonWriter json)
    {
        json.WriteStartObject();
        json.WriteString("parent_model", "");
        foreach (var member in details.ValueKind == JsonValueKind.Object ? _members : [])
        {
            if (details.Member(member) is { } value && (IsText(value) || (value.ValueKind == JsonValueKind.Array && value.EnumerateArray().All(IsText))))
            {
                json.WriteRaw(member, value);
            }
        }

        json.WriteEndObject();
    }

    private static bool IsText(JsonElement value) => value.ValueKind == JsonValueKind.String;
}
