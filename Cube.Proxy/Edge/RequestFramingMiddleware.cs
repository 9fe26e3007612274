using Cube.Inference.Errors;
using Cube.ServiceDefaults.Errors;

namespace Cube.Proxy.Edge;

/// <summary>
/// Refuses a request that has both a length and chunks: whoever forwards it may take the other for its end (RFC 9112, section 6.1).
/// Kestrel takes the chunks and moves the length to a header of its own.
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
