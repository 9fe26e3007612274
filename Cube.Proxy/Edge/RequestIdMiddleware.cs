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

    /// <summary>128 random bits.</summary>
    private static string CreateId() => string.Create(36, RandomBytes.Take(16), static (id, bytes) =>
    {
        "req_".CopyTo(id);
        Convert.TryToHexStringLower(bytes, id[4..], out _);
    });

    /// <summary>Random bytes of the operating system, of which each thread gets many with one call.</summary>
    private static class RandomBytes
    {
        private const int BlockSize = 4096;

        [ThreadStatic]
        private static byte[]? _block;

        [ThreadStatic]
        private static int _used;

        /// <returns>Bytes that are valid until the next call on this thread.</returns>
        public static ReadOnlySpan<byte> Take(int count)
        {
            if (_block is null || _used + count > BlockSize)
            {
                _block ??= new byte[BlockSize];
                RandomNumberGenerator.Fill(_block);
                _used = 0;
            }

            _used += count;
            return _block.AsSpan(_used - count, count);
        }
    }
}
