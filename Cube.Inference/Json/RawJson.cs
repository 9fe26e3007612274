using System.Runtime.InteropServices;
using System.Text.Json;

namespace Cube.Inference.Json;

/// <summary>Writes JSON values as their raw bytes, so that numbers keep all their digits.</summary>
public static class RawJson
{
    public static void WriteRaw(this Utf8JsonWriter json, string name, JsonElement value)
    {
        json.WritePropertyName(name);
        json.WriteRaw(value);
    }

    public static void WriteRawOrNull(this Utf8JsonWriter json, JsonElement? value)
    {
        if (value is { } some)
        {
            json.WriteRaw(some);
        }
        else
        {
            json.WriteNullValue();
        }
    }

    public static void WriteRaw(this Utf8JsonWriter json, JsonElement value) =>
        json.WriteRawValue(JsonMarshal.GetRawUtf8Value(value), skipInputValidation: true);
}
