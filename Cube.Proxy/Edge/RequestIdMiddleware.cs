using System.Buffers;
using System.Diagnostics;
using System.Security.Cryptography;

namespace Cube.Proxy.Edge;

/// <summary>
/// Gives each request an id of our own, in <c>x-request-id</c> of every answer. A client's own id is kept apart, on the trace alone,
/// and only where it is short and harmless.
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
            // Baggage of a stranger goes no further.
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
