using Cube.Inference;
using Cube.Inference.Errors;
using Cube.ServiceDefaults.Errors;
using Microsoft.Extensions.Options;
using Microsoft.Net.Http.Headers;

namespace Cube.Proxy.Edge;

/// <summary>Rejects requests below a domain by their content headers: a media type that the endpoint does not accept, a content encoding, or a length above the limit.</summary>
internal sealed class RequestContentMiddleware(RequestDelegate next, IOptions<ProxyOptions> options)
{
    private readonly long _maxBytes = options.Value.MaxRequestBodyBytes;

    public Task InvokeAsync(HttpContext context)
    {
        var body = context.GetEndpoint()?.Metadata.GetMetadata<DomainEndpointMetadata>()?.Body ?? BodyKind.None;
        if (body == BodyKind.None)
        {
            return next(context);
        }

        if (!HasType(context.Request, body == BodyKind.Form ? "multipart/form-data" : "application/json"))
        {
            return (body == BodyKind.Form ? OpenAiError.UnsupportedFormType : OpenAiError.UnsupportedMediaType).WriteAsync(context);
        }

        if (context.Request.ContentLength > _maxBytes)
        {
            context.Response.Headers.Connection = "close";
            return OpenAiError.RequestTooLarge.WriteAsync(context);
        }

        return next(context);
    }

    private static bool HasType(HttpRequest request, string expected) =>
        !IsEncoded(request)
        && MediaTypeHeaderValue.TryParse(request.ContentType, out var type)
        && type.MediaType.Equals(expected, StringComparison.OrdinalIgnoreCase);

    /// <summary><c>identity</c> means no encoding (RFC 9110, section 8.4.1).</summary>
    private static bool IsEncoded(HttpRequest request) =>
        request.Headers.GetCommaSeparatedValues(HeaderNames.ContentEncoding).Any(static coding => !coding.Trim().Equals("identity", StringComparison.OrdinalIgnoreCase));
}
