using System.Buffers.Text;
using System.Text.Json;
using System.Text.Unicode;

namespace Cube.Attestation.Parsing;

/// <summary>Strict JSON parsing: duplicate members, comments and trailing commas are errors, and requested members must exist.</summary>
internal static class Json
{
    private static readonly JsonDocumentOptions _strict = new() { AllowDuplicateProperties = false, MaxDepth = 16 };

    /// <exception cref="AppraisalException">With <paramref name="code"/>.</exception>
    public static JsonDocument Parse(ReadOnlyMemory<byte> utf8, string code)
    {
        AppraisalException.ThrowUnless(Utf8.IsValid(utf8.Span) && (utf8.Span.IndexOf("\\u"u8) < 0 || HasWholeCharacters(utf8.Span)), code, "The JSON is not valid UTF-8 text.");
        try
        {
            return JsonDocument.Parse(utf8, _strict);
        }
        catch (JsonException)
        {
            throw new AppraisalException(code, "The JSON is invalid or contains a duplicate member.");
        }
    }

    /// <summary>False if an escape sequence encodes an unpaired surrogate, which a string cannot contain.</summary>
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
            : throw new AppraisalException(code, $"'{name}' is missing.");

    public static JsonElement? Optional(this JsonElement element, string name) =>
        element.ValueKind == JsonValueKind.Object && element.TryGetProperty(name, out var value) ? value : null;

    public static string Text(this JsonElement element, string name, string code) =>
        element.Member(name, code) is { ValueKind: JsonValueKind.String } value ? value.GetString()! : throw new AppraisalException(code, $"'{name}' is not a string.");

    public static int Number(this JsonElement element, string name, string code) =>
        element.Member(name, code) is { ValueKind: JsonValueKind.Number } value && value.TryGetInt32(out var number)
            ? number
            : throw new AppraisalException(code, $"'{name}' is not a whole number.");

    public static JsonElement.ArrayEnumerator Items(this JsonElement element, string name, string code) =>
        element.Member(name, code) is { ValueKind: JsonValueKind.Array } value ? value.EnumerateArray() : throw new AppraisalException(code, $"'{name}' is not a list.");

    public static byte[] Hex(this JsonElement element, string name, string code, int? length = null) => Hex(element.Text(name, code), code, length);

    public static byte[] Hex(string text, string code, int? length = null)
    {
        try
        {
            var bytes = Convert.FromHexString(text);
            return length is null || bytes.Length == length ? bytes : throw new AppraisalException(code, $"Expected {length} bytes, found {bytes.Length}.");
        }
        catch (FormatException)
        {
            throw new AppraisalException(code, "The value is not hexadecimal.");
        }
    }

    /// <summary>base64url (RFC 4648 section 5), without padding, canonical form only.</summary>
    public static byte[] Base64Of(string text, string code)
    {
        try
        {
            var bytes = Base64Url.DecodeFromChars(text);
            return Base64Url.EncodeToString(bytes) == text ? bytes : throw new AppraisalException(code, "The value is not canonical base64url.");
        }
        catch (FormatException)
        {
            throw new AppraisalException(code, "The value is not base64url.");
        }
    }
}
