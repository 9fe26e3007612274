using System.Buffers;
using System.Diagnostics;

namespace Cube.Proxy.Edge;

/// <summary>
/// Generates an id for each request and returns it in <c>x-request-id</c>. A client's id is recorded only in the trace, and only if it has at most 128 safe characters.
/// </summary>
internal sealed class RequestIdMiddleware(RequestDelegate next)
{
    private const int MaxClientId = 128;
    private static readonly SearchValues<char> Safe =
        SearchValues.Create("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.:");

    /// <summary>The header that .NET reads as baggage besides <c>baggage</c>.</summary>
    private const string CorrelationContext = "Correlation-Context";

    public Task InvokeAsync(HttpContext context)
    {
        var id = CreateId();
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
            if (context.Request.Headers.Baggage.Count > 0 || context.Request.Headers.ContainsKey(CorrelationContext))
            {
                // Baggage from clients is not propagated.
                foreach (var (key, _) in activity.Baggage.ToArray())
                {
                    activity.SetBaggage(key, null);
                }
            }

            if (context.Request.Headers[ResponseHeaders.RequestId] is [{ Length: > 0 and <= MaxClientId } clientId] && !clientId.AsSpan().ContainsAnyExcept(Safe))
            {
                activity.SetTag("cube.client_request_id", clientId);
            }
        }

        return next(context);
    }

    /// <summary>128 random bits. Ids must be unique, not secret, so that no call of the operating system is needed for each.</summary>
    private static string CreateId() => string.Create(36, Random.Shared, static (id, random) =>
    {
        Span<byte> bytes = stackalloc byte[16];
        random.NextBytes(bytes);
        "req_".CopyTo(id);
        Convert.TryToHexStringLower(bytes, id[4..], out _);
    });
}
