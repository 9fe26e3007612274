using System.Runtime.InteropServices;
using System.Text.Json;

namespace Cube.Inference.Json;

public static class RawJson
{
    /// <summary>Copies the value's own bytes: no number loses a digit.</summary>
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
