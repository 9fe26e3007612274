using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;

namespace Cube.ServiceDefaults.Hosting;

/// <summary>
/// Answers <c>HEAD</c> wherever there is <c>GET</c> (RFC 9110, section 9.1). The request passes as a <c>GET</c>; Kestrel knows the method that came and sends no body.
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

    /// <summary>Adds <c>HEAD</c> to the methods of a path that has <c>GET</c>.</summary>
    /// <param name="allowed">Methods, separated by commas.</param>
    public static string WithHead(string allowed) =>
        allowed.Contains(HttpMethods.Get, StringComparison.Ordinal) && !allowed.Contains(HttpMethods.Head, StringComparison.Ordinal) ? $"{allowed}, {HttpMethods.Head}" : allowed;
}
