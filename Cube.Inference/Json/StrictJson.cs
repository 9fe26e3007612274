using System.Buffers.Text;
using System.Text.Json;
using System.Text.Unicode;

namespace Cube.Inference.Json;

/// <summary>
/// Reads a body so that no later reader can read it differently: UTF-8 without a byte order mark, one object, no member twice on any level,
/// nothing after it, no text with half of a surrogate pair.
/// </summary>
public static class StrictJson
{
    /// <summary>Deeper nesting than any schema of a tool has.</summary>
    private const int MaxDepth = 256;

    /// <summary>For what is written of a body: the form of a model server may wrap a value in some more objects.</summary>
    public static readonly JsonDocumentOptions Rewritten = new() { MaxDepth = MaxDepth + 16 };

    /// <summary>JsonDocument keeps 12 bytes for each token, in an array that doubles and is copied; the check for duplicates and the copy that is sent come on top.</summary>
    private const int BytesPerToken = 48;

    private static readonly JsonDocumentOptions _options = new() { MaxDepth = MaxDepth, AllowDuplicateProperties = false };

    /// <param name="json">Lives as long as the document.</param>
    /// <exception cref="RequestRejectedException">It is not such a body.</exception>
    public static JsonDocument Parse(ReadOnlyMemory<byte> json) => Parse(json, int.MaxValue, reserve: null);

    /// <param name="json">Lives as long as the document.</param>
    /// <param name="maxTokens">How many values and member names there may be.</param>
    /// <param name="reserve">Is given the bytes of memory of the document before it is built; may throw.</param>
    /// <exception cref="RequestRejectedException">It is not such a body, has more tokens, or the budget has no room for it.</exception>
    public static JsonDocument Parse(ReadOnlyMemory<byte> json, int maxTokens, Action<long>? reserve)
    {
        if (!Utf8.IsValid(json.Span) || HasHalfAPair(json.Span))
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

    /// <summary>Looks at escapes only; what is no escape was looked at as UTF-8.</summary>
    private static bool HasHalfAPair(ReadOnlySpan<byte> json)
    {
        while (json.IndexOf((byte)'\\') is >= 0 and var at && at + 1 < json.Length)
        {
            json = json[at..];
            if (json[1] != 'u')
            {
                json = json[2..];
                continue;
            }

            if (Unit(json) is not { } first)
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
                if (Unit(json) is not (>= 0xDC00 and <= 0xDFFF))
                {
                    return true;
                }

                json = json[6..];
            }
        }

        return false;
    }

    private static int? Unit(ReadOnlySpan<byte> json) =>
        json.Length >= 6 && json[0] == '\\' && json[1] == 'u' && Utf8Parser.TryParse(json.Slice(2, 4), out ushort unit, out var read, 'x') && read == 4 ? unit : null;
}
