using Cube.Inference.Errors;
using Cube.ServiceDefaults.Errors;

namespace Cube.Proxy.Edge;

/// <summary>
/// Rejects a request that has both <c>Content-Length</c> and <c>Transfer-Encoding</c>, because servers could disagree about its end (RFC 9112, section 6.1). Kestrel uses the chunks and moves the length to the header
/// <c>X-Content-Length</c>.
/// </summary>
internal sealed class RequestFramingMiddleware(RequestDelegate next)
{
    private const string DroppedLength = "X-Content-Length";

    public Task InvokeAsync(HttpContext context)
    {
        if (!context.Request.Headers.ContainsKey(DroppedLength))
        {
            return next(context);
        }

        context.Response.Headers.Connection = "close";
        return DomainPath.Matches(context)
            ? OpenAiError.BadHttp.WriteAsync(context)
            : ManagementError.Of(StatusCodes.Status400BadRequest).WriteAsync(context, StatusCodes.Status400BadRequest);
    }
}
