using System.Text.Json;

namespace Cube.Inference.Ollama;

/// <summary>
/// Writes a schema for Ollama, which does not support boolean schemas: <c>true</c> is written as <c>{}</c> and <c>false</c> as <c>{"not":{}}</c>, which are equivalent. Only <c>additionalProperties</c> can be a boolean
/// in Ollama.
/// </summary>
internal static class OllamaSchemaWriter
{
    public static void Write(JsonElement schema, Utf8JsonWriter json)
    {
        switch (schema.ValueKind)
        {
            case JsonValueKind.True or JsonValueKind.False:
                json.WriteRawValue(schema.ValueKind == JsonValueKind.True ? "{}"u8 : "{\"not\":{}}"u8);
                break;
            case JsonValueKind.Object:
                json.WriteStartObject();
                foreach (var member in schema.EnumerateObject())
                {
                    json.WritePropertyName(member.Name);
                    WriteKeyword(SchemaKeywords.KindOf(member.Name), member, json);
                }

                json.WriteEndObject();
                break;
            default:
                json.WriteRaw(schema);
                break;
        }
    }

    private static void WriteKeyword(SchemaKeyword keyword, JsonProperty member, Utf8JsonWriter json)
    {
        switch (keyword)
        {
            case SchemaKeyword.Map when member.Value.ValueKind == JsonValueKind.Object:
                json.WriteStartObject();
                foreach (var inner in member.Value.EnumerateObject())
                {
                    json.WritePropertyName(inner.Name);
                    Write(inner.Value, json);
                }

                json.WriteEndObject();
                break;
            case SchemaKeyword.List when member.Value.ValueKind == JsonValueKind.Array:
                json.WriteStartArray();
                foreach (var item in member.Value.EnumerateArray())
                {
                    Write(item, json);
                }

                json.WriteEndArray();
                break;
            case SchemaKeyword.Schema when member.Value.ValueKind == JsonValueKind.Object || member.NameEquals("items"u8):
                Write(member.Value, json);
                break;
            default:
                json.WriteRaw(member.Value);
                break;
        }
    }
}
