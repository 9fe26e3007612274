using System.Buffers.Text;
using System.Text.Json;
using System.Text.Unicode;

namespace Cube.Inference.Json;

/// <summary>
/// Reads a body so strictly that no other JSON reader can interpret it differently. The body must be UTF-8 without a byte order mark, one object and nothing else, without duplicate members at any depth, and
/// without strings that contain a lone surrogate.
/// </summary>
public static class StrictJson
{
    /// <summary>Maximum nesting; the schemas of tools need the most.</summary>
    private const int MaxDepth = 256;

    /// <summary>For rewritten bodies: the request format of a model server may nest a value in a few more objects.</summary>
    public static readonly JsonDocumentOptions Rewritten = new() { MaxDepth = MaxDepth + 16 };

    /// <summary>Memory for each token. JsonDocument uses 12 bytes in an array that is doubled and copied; the check for duplicates and the rewritten body add to that.</summary>
    private const int BytesPerToken = 48;

    private static readonly JsonDocumentOptions _options = new() { MaxDepth = MaxDepth, AllowDuplicateProperties = false };

    /// <param name="json">The body. Must stay unchanged while the document is used.</param>
    /// <exception cref="RequestRejectedException">The body breaks one of the rules.</exception>
    public static JsonDocument Parse(ReadOnlyMemory<byte> json) => Parse(json, int.MaxValue, reserve: null);

    /// <param name="json">The body. Must stay unchanged while the document is used.</param>
    /// <param name="maxTokens">Maximum number of values and member names.</param>
    /// <param name="reserve">Called with the document's memory in bytes before the document is built; may throw.</param>
    /// <exception cref="RequestRejectedException">The body breaks one of the rules, or has more tokens, or <paramref name="reserve"/> rejected it.</exception>
    public static JsonDocument Parse(ReadOnlyMemory<byte> json, int maxTokens, Action<long>? reserve)
    {
        if (!Utf8.IsValid(json.Span) || HasLoneSurrogate(json.Span))
        {
            throw new RequestRejectedException(OpenAiError.InvalidJson);
        }

        JsonDocument document;
        try
        {
            var tokens = CountTokens(json.Span, maxTokens);
            reserve?.Invoke((long)tokens * BytesPerToken);
            document = JsonDocument.Parse(json, _options);
        }
        catch (JsonException)
        {
            throw new RequestRejectedException(OpenAiError.InvalidJson);
        }

        if (document.RootElement.ValueKind != JsonValueKind.Object)
        {
            document.Dispose();
            throw new RequestRejectedException(OpenAiError.InvalidJson);
        }

        return document;
    }

    private static int CountTokens(ReadOnlySpan<byte> json, int max)
    {
        var reader = new Utf8JsonReader(json, new JsonReaderOptions { MaxDepth = MaxDepth });
        var tokens = 0;
        while (reader.Read())
        {
            if (++tokens > max)
            {
                throw new RequestRejectedException(OpenAiError.TooManyTokens);
            }
        }

        return tokens;
    }

    /// <summary>Checks escapes only; unescaped characters were validated as UTF-8.</summary>
    private static bool HasLoneSurrogate(ReadOnlySpan<byte> json)
    {
        while (json.IndexOf((byte)'\\') is >= 0 and var at && at + 1 < json.Length)
        {
            json = json[at..];
            if (json[1] != 'u')
            {
                json = json[2..];
                continue;
            }

            if (ReadEscapedUnit(json) is not { } first)
            {
                return false;
            }

            json = json[6..];
            if (first is >= 0xDC00 and <= 0xDFFF)
            {
                return true;
            }

            if (first is >= 0xD800 and <= 0xDBFF)
            {
                if (ReadEscapedUnit(json) is not (>= 0xDC00 and <= 0xDFFF))
                {
                    return true;
                }

                json = json[6..];
            }
        }

        return false;
    }

    /// <returns>The UTF-16 code unit of an escape <c>\uXXXX</c> at the start of the text; null if there is none.</returns>
    private static int? ReadEscapedUnit(ReadOnlySpan<byte> json) =>
        json.Length >= 6 && json[0] == '\\' && json[1] == 'u' && Utf8Parser.TryParse(json.Slice(2, 4), out ushort unit, out var read, 'x') && read == 4 ? unit : null;
}
