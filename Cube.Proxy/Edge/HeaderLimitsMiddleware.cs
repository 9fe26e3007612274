using Cube.Inference.Errors;
using Cube.ServiceDefaults.Errors;

namespace Cube.Proxy.Edge;

/// <summary>Rejects large headers with 431 and a response body. Kestrel rejects them without a body, so its own limits are higher.</summary>
internal sealed class HeaderLimitsMiddleware(RequestDelegate next)
{
    /// <summary>Maximum size of all headers in bytes.</summary>
    public const int MaxTotal = 32 << 10;
    public const int MaxCount = 100;

    public Task InvokeAsync(HttpContext context)
    {
        var (total, count) = (0, 0);
        foreach (var (name, values) in context.Request.Headers)
        {
            foreach (var value in values)
            {
                total += name.Length + (value?.Length ?? 0) + 4;
                count++;
            }
        }

        if (total <= MaxTotal && count <= MaxCount)
        {
            return next(context);
        }

        context.Response.Headers.Connection = "close";
        return DomainPath.Matches(context)
            ? OpenAiError.HeadersTooLarge.WriteAsync(context)
            : new ManagementError("headers_too_large", "The request headers are too large.")
                .WriteAsync(context, StatusCodes.Status431RequestHeaderFieldsTooLarge);
    }
}
