using System.Net;
using Cube.Identity.Api;
using Cube.Identity.Configuration;
using Microsoft.Extensions.Options;

namespace Cube.Identity.Users;

/// <summary>
/// Bounds the requests that check or hash a password: each costs tens of milliseconds of a processor. Every client address has a queue of its
/// own, and the queues are served in turn, so that a flood from one address delays that address and no other.
/// </summary>
internal sealed class PasswordQueue(IOptions<IdentityOptions> options)
{
    private readonly Lock _lock = new();
    private readonly int _atOnce = options.Value.PasswordsAtOnce is > 0 and var count ? count : Environment.ProcessorCount;
    private readonly int _most = options.Value.PasswordsWaiting;
    private readonly int _mostOfAddress = options.Value.PasswordsWaitingPerAddress;
    private readonly Dictionary<string, LinkedList<TaskCompletionSource>> _waiting = [];

    /// <summary>The addresses that have requests waiting, the next to be served first.</summary>
    private readonly Queue<string> _turns = new();

    private int _running;
    private int _count;

    /// <returns>A turn, which is given back with <see cref="Release"/>, or why there is none.</returns>
    public async Task<PasswordQueueResult> AcquireAsync(string address, CancellationToken ct)
    {
        LinkedListNode<TaskCompletionSource> own;
        lock (_lock)
        {
            if (_running < _atOnce)
            {
                _running++;
                return PasswordQueueResult.Acquired;
            }

            var queue = _waiting.GetValueOrDefault(address);
            if (queue?.Count >= _mostOfAddress)
            {
                return PasswordQueueResult.AddressQueueFull;
            }

            if (_count >= _most)
            {
                return PasswordQueueResult.QueueFull;
            }

            if (queue is null)
            {
                _waiting.Add(address, queue = []);
                _turns.Enqueue(address);
            }

            own = queue.AddLast(new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously));
            _count++;
        }

        await using var left = ct.Register(() => Abandon(own, ct));
        await own.Value.Task;
        return PasswordQueueResult.Acquired;
    }

    /// <summary>Passes the turn on to the next address.</summary>
    public void Release()
    {
        lock (_lock)
        {
            while (_turns.TryDequeue(out var address))
            {
                var queue = _waiting[address];
                if (queue.First is not { } first)
                {
                    // All of its requests were abandoned.
                    _waiting.Remove(address);
                    continue;
                }

                queue.RemoveFirst();
                _count--;
                if (queue.Count > 0)
                {
                    _turns.Enqueue(address);
                }
                else
                {
                    _waiting.Remove(address);
                }

                first.Value.SetResult();
                return;
            }

            _running--;
        }
    }

    /// <summary>A client that has left makes room for others.</summary>
    private void Abandon(LinkedListNode<TaskCompletionSource> own, CancellationToken ct)
    {
        lock (_lock)
        {
            if (own.List is { } queue)
            {
                queue.Remove(own);
                _count--;
                own.Value.SetCanceled(ct);
            }
        }
    }

    /// <summary>The client that limits count for: an IPv6 network of 64 bits is one client, which chooses among its addresses freely.</summary>
    public static string ClientKey(IPAddress? address)
    {
        if (address is null or { AddressFamily: not System.Net.Sockets.AddressFamily.InterNetworkV6 })
        {
            return address?.ToString() ?? "";
        }

        return address.IsIPv4MappedToIPv6
            ? address.MapToIPv4().ToString()
            : new IPAddress([.. address.GetAddressBytes().AsSpan(0, 8), .. new byte[8]]) + "/64";
    }
}

internal enum PasswordQueueResult
{
    Acquired,
    AddressQueueFull,
    QueueFull,
}

internal static class PasswordQueueExtensions
{
    /// <summary>For every endpoint that checks or hashes a password: it is carried out when the queue gives it a turn.</summary>
    public static TBuilder LimitPasswordConcurrency<TBuilder>(this TBuilder endpoint)
        where TBuilder : IEndpointConventionBuilder => endpoint.AddEndpointFilter(static async (context, next) =>
    {
        var http = context.HttpContext;
        var queue = http.RequestServices.GetRequiredService<PasswordQueue>();
        var turn = await queue.AcquireAsync(PasswordQueue.ClientKey(http.Connection.RemoteIpAddress), http.RequestAborted);
        if (turn != PasswordQueueResult.Acquired)
        {
            http.Response.Headers.RetryAfter = "1";
            return turn == PasswordQueueResult.AddressQueueFull
                ? ApiResults.Fail(StatusCodes.Status429TooManyRequests, "too_many_attempts", "Too many password requests from this address. Try again.")
                : ApiResults.Fail(StatusCodes.Status503ServiceUnavailable, "overloaded", "Too many password requests are waiting. Try again.");
        }

        try
        {
            return await next(context);
        }
        finally
        {
            queue.Release();
        }
    });
}
