using System.Net;
using Cube.Identity.Api;
using Cube.Identity.Configuration;
using Microsoft.Extensions.Options;

namespace Cube.Identity.Users;

/// <summary>
/// Limits the requests that verify or hash a password, each of which takes tens of milliseconds of processor time. Each client address has its
/// own queue, and the queues are served in turn, so that a flood from one address does not delay other addresses.
/// </summary>
internal sealed class PasswordQueue(IOptions<IdentityOptions> options)
{
    private readonly Lock _lock = new();
    private readonly int _atOnce = options.Value.PasswordsAtOnce is > 0 and var count ? count : Environment.ProcessorCount;
    private readonly int _maxWaiting = options.Value.PasswordsWaiting;
    private readonly int _maxWaitingPerAddress = options.Value.PasswordsWaitingPerAddress;
    private readonly Dictionary<string, LinkedList<TaskCompletionSource>> _waiting = [];

    /// <summary>The addresses with waiting requests, in the order of their turns.</summary>
    private readonly Queue<string> _turns = new();

    private int _running;
    private int _count;

    /// <summary>Waits for a turn. After <see cref="PasswordQueueResult.Acquired"/> the caller must call <see cref="Release"/>.</summary>
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
            if (queue?.Count >= _maxWaitingPerAddress)
            {
                return PasswordQueueResult.AddressQueueFull;
            }

            if (_count >= _maxWaiting)
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

    /// <summary>Gives the turn to the next address.</summary>
    public void Release()
    {
        lock (_lock)
        {
            while (_turns.TryDequeue(out var address))
            {
                var queue = _waiting[address];
                if (queue.First is not { } first)
                {
                    // All requests of the address were cancelled.
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

    /// <summary>Removes the request of a client that has disconnected.</summary>
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

    /// <summary>The key of a client in limits: the IPv4 address, or the /64 network of an IPv6 address, whose interface part a client can choose.</summary>
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
    /// <summary>For endpoints that verify or hash a password: runs the endpoint when the <see cref="PasswordQueue"/> gives it a turn.</summary>
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
