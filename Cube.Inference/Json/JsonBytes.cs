using System.Text.Json;

namespace Cube.Inference.Json;

/// <summary>Reads JSON values as raw UTF-8 bytes, without allocating memory.</summary>
internal static class JsonBytes
{
    /// <summary>Reads the next value.</summary>
    /// <returns>Its bytes as they are in the JSON text; empty for null.</returns>
    public static ReadOnlySpan<byte> ReadRaw(scoped ref Utf8JsonReader reader, ReadOnlySpan<byte> json)
    {
        reader.Read();
        if (reader.TokenType == JsonTokenType.Null)
        {
            return default;
        }

        var start = (int)reader.TokenStartIndex;
        reader.Skip();
        return json[start..(int)reader.BytesConsumed];
    }

    /// <summary>Whether the raw bytes are a JSON string with at least one character.</summary>
    public static bool IsNonEmptyString(ReadOnlySpan<byte> raw) => raw.Length > 2 && raw[0] == '"';

    /// <summary>Reads the next value.</summary>
    /// <returns>Its integer value; null for any other value.</returns>
    public static int? ReadInt32(scoped ref Utf8JsonReader reader) => ReadInteger(ref reader) is { } count and >= int.MinValue and <= int.MaxValue ? (int)count : null;

    /// <summary>Reads the next value.</summary>
    /// <returns>Its integer value, also if it is written as <c>7.0</c>; null for any other value.</returns>
    public static long? ReadInteger(scoped ref Utf8JsonReader reader)
    {
        reader.Read();
        if (reader.TokenType != JsonTokenType.Number)
        {
            reader.Skip();
            return null;
        }

        return reader.TryGetInt64(out var whole) ? whole : reader.TryGetDouble(out var number) && IsWhole(number) ? (long)number : null;
    }

    /// <returns>The integer value, also if it is written as <c>7.0</c>; null for any other value.</returns>
    public static long? ReadInteger(JsonElement? json) =>
        json is not { ValueKind: JsonValueKind.Number } number ? null
        : number.TryGetInt64(out var whole) ? whole
        : number.TryGetDouble(out var value) && IsWhole(value) ? (long)value : null;

    /// <summary>A double represents integers exactly up to 2^53.</summary>
    private static bool IsWhole(double number) => Math.Abs(number) <= 1L << 53 && Math.Floor(number) == number;
}
