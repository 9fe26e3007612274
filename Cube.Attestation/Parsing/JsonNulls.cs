using System.Globalization;
using System.Text.Json;

namespace Cube.Attestation.Parsing;

/// <summary>
/// Finds nulls in JSON. The serializer checks nullable annotations of members, but not of list elements or dictionary values.
/// </summary>
public static class JsonNulls
{
    /// <param name="utf8">Valid JSON.</param>
    /// <returns>The path of the first null, such as <c>$.models[0]</c>; or null if there is none.</returns>
    /// <exception cref="JsonException">The text is not valid JSON.</exception>
    public static string? Find(ReadOnlySpan<byte> utf8)
    {
        var reader = new Utf8JsonReader(utf8);
        return Below(JsonElement.ParseValue(ref reader)) is { } path ? $"${path}" : null;
    }

    private static string? Below(JsonElement json)
    {
        switch (json.ValueKind)
        {
            case JsonValueKind.Null:
                return string.Empty;
            case JsonValueKind.Object:
                foreach (var member in json.EnumerateObject())
                {
                    if (Below(member.Value) is { } rest)
                    {
                        return $".{member.Name}{rest}";
                    }
                }

                return null;
            case JsonValueKind.Array:
                var index = 0;
                foreach (var item in json.EnumerateArray())
                {
                    if (Below(item) is { } rest)
                    {
                        return string.Create(CultureInfo.InvariantCulture, $"[{index}]{rest}");
                    }

                    index++;
                }

                return null;
            default:
                return null;
        }
    }
}
