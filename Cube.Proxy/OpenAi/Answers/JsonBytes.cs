using System.Text.Json;

namespace Cube.Proxy.OpenAi.Answers;

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

    /// <returns>A small number, or null where it is none.</returns>
    public static int? Number(scoped ref Utf8JsonReader reader)
    {
        reader.Read();
        if (reader.TokenType == JsonTokenType.Number && reader.TryGetInt32(out var number))
        {
            return number;
        }

        reader.Skip();
        return null;
    }
}
