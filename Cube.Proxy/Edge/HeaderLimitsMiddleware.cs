using Cube.Inference.Errors;
using Cube.ServiceDefaults.Errors;

namespace Cube.Proxy.Edge;

/// <summary>Kestrel refuses large headers without a body. Its limits are raised so that ours answer first, in the shape of the path.</summary>
internal sealed class HeaderLimitsMiddleware(RequestDelegate next)
{
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
