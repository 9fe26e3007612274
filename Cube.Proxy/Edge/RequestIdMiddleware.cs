using System.Buffers;
using System.Diagnostics;
using System.Security.Cryptography;

namespace Cube.Proxy.Edge;

/// <summary>
/// Generates an id for each request and returns it in <c>x-request-id</c>. A client's id is recorded only in the trace, and only if it has at most 128 safe characters.
/// </summary>
internal sealed class RequestIdMiddleware(RequestDelegate next)
{
    private const int MaxClientId = 128;
    private static readonly SearchValues<char> Safe =
        SearchValues.Create("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.:");

    public Task InvokeAsync(HttpContext context)
    {
        var id = $"req_{RandomNumberGenerator.GetHexString(32, lowercase: true)}";
        context.TraceIdentifier = id;
        context.Response.OnStarting(static state =>
        {
            var started = (HttpContext)state;
            started.Response.Headers[ResponseHeaders.RequestId] = started.TraceIdentifier;
            return Task.CompletedTask;
        }, context);
        if (Activity.Current is { } activity)
        {
            activity.SetTag("cube.request_id", id);
            // Baggage from clients is not propagated.
            foreach (var (key, _) in activity.Baggage.ToArray())
            {
                activity.SetBaggage(key, null);
            }

            if (context.Request.Headers[ResponseHeaders.RequestId] is [{ Length: > 0 and <= MaxClientId } clientId] && !clientId.AsSpan().ContainsAnyExcept(Safe))
            {
                activity.SetTag("cube.client_request_id", clientId);
            }
        }

        return next(context);
    }
}
