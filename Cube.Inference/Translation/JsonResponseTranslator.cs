using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json;

namespace Cube.Inference.Translation;

/// <summary>Translates a response that is one JSON object. Only known members reach the client.</summary>
internal abstract class JsonResponseTranslator : ResponseTranslator
{
    private static readonly JsonDocumentOptions _options = new() { MaxDepth = 256 };

    public sealed override BufferedResponse WriteBuffered(ReadOnlyMemory<byte> body, string? mediaType, ClientRequest request, DateTimeOffset now, ByteBuffer output)
    {
        if (mediaType != "application/json")
        {
            throw new JsonException("The model server's response is not JSON.");
        }

        using var document = JsonDocument.Parse(body.Span is [0xEF, 0xBB, 0xBF, ..] ? body[3..] : body, _options);
        var root = document.RootElement;
        if (root.ValueKind != JsonValueKind.Object || root.Member("error") is not null)
        {
            throw new JsonException("The model server's response is an error.");
        }

        try
        {
            return new BufferedResponse("application/json", Write(root, request, now, output));
        }
        catch (Exception exception) when (exception is InvalidOperationException or KeyNotFoundException or FormatException)
        {
            throw new JsonException("The model server's response has an unexpected format.", exception);
        }
    }

    /// <returns>The usage; null if the model server reported none.</returns>
    /// <exception cref="JsonException">The object is not a response of the endpoint. Other exceptions of <see cref="JsonElement"/> are treated the same.</exception>
    protected abstract TokenUsage? Write(JsonElement root, ClientRequest request, DateTimeOffset now, ByteBuffer output);

    /// <summary>Sorts the elements by <c>index</c>. The position replaces a missing index.</summary>
    protected static IEnumerable<JsonElement> InOrder(JsonElement elements) => elements.EnumerateArray()
        .Select(static (element, place) => (Element: element, Index: JsonBytes.ReadInteger(element.Member("index")) ?? place))
        .OrderBy(static item => item.Index)
        .Select(static item => item.Element);

    protected static TokenUsage? UsageOf(JsonElement root)
    {
        if (root.Member("usage") is not { ValueKind: JsonValueKind.Object } usage)
        {
            return null;
        }

        var reader = new Utf8JsonReader(Raw(usage));
        return TokenUsage.Read(ref reader);
    }

    protected static void WriteModel(ByteBuffer output, ClientRequest request) => Append(output, JsonSerializer.Serialize(request.Model));

    protected static void Append(ByteBuffer output, string text) => output.Append(Encoding.UTF8.GetBytes(text));

    protected static ReadOnlySpan<byte> Raw(JsonElement element) => JsonMarshal.GetRawUtf8Value(element);
}
