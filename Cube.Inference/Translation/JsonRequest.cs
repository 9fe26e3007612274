using System.Text.Json;

namespace Cube.Inference.Translation;

/// <summary>A request whose body is a JSON object.</summary>
public sealed class JsonRequest : InferenceRequest
{
    private readonly JsonDocument _document;
    private readonly JsonRequestTranslator _translator;

    private JsonRequest(JsonDocument document, JsonRequestTranslator translator, IgnoredMembers ignored)
        : base(translator.Read(document.RootElement), ignored) => (_document, _translator) = (document, translator);

    /// <summary>Reads a body and checks the rules that do not depend on the model server.</summary>
    /// <param name="body">The body. Must stay unchanged while the request is used.</param>
    /// <param name="translator">The endpoint's translator.</param>
    /// <param name="limits">The limits for one request.</param>
    /// <param name="reserve">Called with the document's memory in bytes before the document is built; may throw.</param>
    /// <exception cref="RequestRejectedException">The body is invalid or exceeds a limit.</exception>
    public static JsonRequest Read(ReadOnlyMemory<byte> body, JsonRequestTranslator translator, RequestLimits limits, Action<long>? reserve = null)
    {
        var document = StrictJson.Parse(body, limits.MaxJsonTokens, reserve);
        try
        {
            var ignored = new IgnoredMembers();
            translator.Check(document.RootElement, ignored, limits);
            return new JsonRequest(document, translator, ignored);
        }
        catch
        {
            document.Dispose();
            throw;
        }
    }

    public override string Write(ByteBuffer output, in RequestTarget target, CancellationToken ct)
    {
        using var json = new Utf8JsonWriter(output, new JsonWriterOptions { SkipValidation = true });
        _translator.Write(_document.RootElement, json, target, ct);
        return "application/json";
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            _document.Dispose();
        }

        base.Dispose(disposing);
    }
}

/// <summary>Limits for one request.</summary>
/// <param name="MaxJsonTokens">Maximum number of values and member names in the body.</param>
/// <param name="MaxImages">Maximum number of images in the body.</param>
/// <param name="MaxPixels">Maximum number of pixels of all images together.</param>
public sealed record RequestLimits(int MaxJsonTokens, int MaxImages, long MaxPixels)
{
    public static RequestLimits None { get; } = new(int.MaxValue, int.MaxValue, long.MaxValue);
}
