using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;

namespace Cube.ServiceDefaults.Hosting;

/// <summary>
/// Answers <c>HEAD</c> on every path that supports <c>GET</c> (RFC 9110, section 9.1). The pipeline handles the request as <c>GET</c>; Kestrel keeps the received method and sends no body.
/// </summary>
public static class HeadRequests
{
    public static IApplicationBuilder UseHeadRequests(this IApplicationBuilder app) => app.Use(static (context, next) =>
    {
        if (HttpMethods.IsHead(context.Request.Method))
        {
            context.Request.Method = HttpMethods.Get;
        }

        return next(context);
    });

    /// <summary>Adds <c>HEAD</c> to the value of an <c>Allow</c> header that contains <c>GET</c>.</summary>
    /// <param name="allowed">Methods, separated by commas.</param>
    public static string WithHead(string allowed) =>
        allowed.Contains(HttpMethods.Get, StringComparison.Ordinal) && !allowed.Contains(HttpMethods.Head, StringComparison.Ordinal) ? $"{allowed}, {HttpMethods.Head}" : allowed;
}
