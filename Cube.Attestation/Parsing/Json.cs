using System.Buffers.Text;
using System.Text.Json;
using System.Text.Unicode;

namespace Cube.Attestation.Parsing;

/// <summary>JSON with no second reading: duplicate names, comments and trailing commas are refused, and what is asked for must be there.</summary>
internal static class Json
{
    private static readonly JsonDocumentOptions _strict = new() { AllowDuplicateProperties = false, MaxDepth = 16 };

    /// <exception cref="Refusal">With <paramref name="code"/>.</exception>
    public static JsonDocument Parse(ReadOnlyMemory<byte> utf8, string code)
    {
        Refusal.Unless(Utf8.IsValid(utf8.Span) && (utf8.Span.IndexOf("\\u"u8) < 0 || HasWholeCharacters(utf8.Span)), code, "It is not text.");
        try
        {
            return JsonDocument.Parse(utf8, _strict);
        }
        catch (JsonException)
        {
            throw new Refusal(code, "It is not JSON, or names a member twice.");
        }
    }

    /// <summary>An escape may spell half a character, which no string can hold.</summary>
    private static bool HasWholeCharacters(ReadOnlySpan<byte> utf8)
    {
        var reader = new Utf8JsonReader(utf8, new JsonReaderOptions { MaxDepth = _strict.MaxDepth });
        try
        {
            while (reader.Read())
            {
                if (reader is { TokenType: JsonTokenType.String or JsonTokenType.PropertyName, ValueIsEscaped: true })
                {
                    reader.GetString();
                }
            }

            return true;
        }
        catch (Exception exception) when (exception is JsonException or InvalidOperationException)
        {
            return false;
        }
    }

    public static JsonElement Member(this JsonElement element, string name, string code) =>
        element.ValueKind == JsonValueKind.Object && element.TryGetProperty(name, out var value)
            ? value
            : throw new Refusal(code, $"'{name}' is missing.");

    public static JsonElement? Optional(this JsonElement element, string name) =>
        element.ValueKind == JsonValueKind.Object && element.TryGetProperty(name, out var value) ? value : null;

    public static string Text(this JsonElement element, string name, string code) =>
        element.Member(name, code) is { ValueKind: JsonValueKind.String } value ? value.GetString()! : throw new Refusal(code, $"'{name}' is not a string.");

    public static int Number(this JsonElement element, string name, string code) =>
        element.Member(name, code) is { ValueKind: JsonValueKind.Number } value && value.TryGetInt32(out var number)
            ? number
            : throw new Refusal(code, $"'{name}' is not a whole number.");

    public static JsonElement.ArrayEnumerator Items(this JsonElement element, string name, string code) =>
        element.Member(name, code) is { ValueKind: JsonValueKind.Array } value ? value.EnumerateArray() : throw new Refusal(code, $"'{name}' is not a list.");

    public static byte[] Hex(this JsonElement element, string name, string code, int? length = null) => Hex(element.Text(name, code), code, length);

    public static byte[] Hex(string text, string code, int? length = null)
    {
        try
        {
            var bytes = Convert.FromHexString(text);
            return length is null || bytes.Length == length ? bytes : throw new Refusal(code, $"{bytes.Length} bytes where {length} are due.");
        }
        catch (FormatException)
        {
            throw new Refusal(code, "It is not hexadecimal.");
        }
    }

    /// <summary>RFC 4648 section 5, without padding, in its canonical form only.</summary>
    public static byte[] Base64Of(string text, string code)
    {
        try
        {
            var bytes = Base64Url.DecodeFromChars(text);
            return Base64Url.EncodeToString(bytes) == text ? bytes : throw new Refusal(code, "It is not canonical base64url.");
        }
        catch (FormatException)
        {
            throw new Refusal(code, "It is not base64url.");
        }
    }
}
