using System.Text.Json;

namespace Cube.Inference.Json;

/// <summary>Values of JSON as the bytes that they are.</summary>
internal static class JsonBytes
{
    /// <summary>The bytes of the value that the reader is about to read, as they stand; empty for null.</summary>
    public static ReadOnlySpan<byte> Raw(scoped ref Utf8JsonReader reader, ReadOnlySpan<byte> json)
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

    /// <summary>Whether these are the bytes of a text that is not empty.</summary>
    public static bool IsText(ReadOnlySpan<byte> raw) => raw.Length > 2 && raw[0] == '"';

    /// <returns>The small whole number that the reader is about to read, or null where it is none.</returns>
    public static int? Number(scoped ref Utf8JsonReader reader) => Count(ref reader) is { } count and >= int.MinValue and <= int.MaxValue ? (int)count : null;

    /// <returns>The whole number that the reader is about to read, also where it is written as <c>7.0</c>; null where it is none.</returns>
    public static long? Count(scoped ref Utf8JsonReader reader)
    {
        reader.Read();
        if (reader.TokenType != JsonTokenType.Number)
        {
            reader.Skip();
            return null;
        }

        return reader.TryGetInt64(out var whole) ? whole : reader.TryGetDouble(out var number) && IsWhole(number) ? (long)number : null;
    }

    /// <inheritdoc cref="Count(ref Utf8JsonReader)"/>
    public static long? Count(JsonElement? json) =>
        json is not { ValueKind: JsonValueKind.Number } number ? null
        : number.TryGetInt64(out var whole) ? whole
        : number.TryGetDouble(out var value) && IsWhole(value) ? (long)value : null;

    /// <summary>Exact up to 2^53, as JavaScript's numbers are.</summary>
    private static bool IsWhole(double number) => Math.Abs(number) <= 1L << 53 && Math.Floor(number) == number;
}
