using Cube.Proxy.Limits;
using Microsoft.Extensions.Time.Testing;

namespace Cube.Tests.Proxy.Limits;

public sealed class BackendQueueTests
{
    private static readonly Guid _busy = Guid.NewGuid();
    private static readonly Guid _quiet = Guid.NewGuid();
    private readonly FakeTimeProvider _time = new();

    private BackendQueue Queue(int running = 1, int waiting = 10, int waitingPerDomain = 5) => new(
        new BackendLimitOptions { MaxConcurrentRequests = running, MaxWaitingRequests = waiting, MaxWaitingRequestsPerDomain = waitingPerDomain, WaitTimeout = TimeSpan.FromSeconds(5) }, _time);

    [Fact]
    public async Task Requests_below_the_limit_do_not_wait()
    {
        var queue = Queue(running: 2);
        Assert.Null(await queue.EnterAsync(_busy, default));
        Assert.Null(await queue.EnterAsync(_busy, default));
        Assert.Equal((2, 0), (queue.Running, queue.Waiting));
        queue.Leave();
        Assert.Equal(1, queue.Running);
    }

    [Fact]
    public async Task Waiting_requests_are_admitted_in_turns_of_their_domains()
    {
        var queue = Queue();
        Assert.Null(await queue.EnterAsync(_busy, default));
        var order = new List<string>();
        Task[] waiting =
        [
            AddAsync(_busy, "busy 1"), AddAsync(_busy, "busy 2"), AddAsync(_busy, "busy 3"), AddAsync(_quiet, "quiet 1"),
        ];
        queue.Leave();
        await Task.WhenAll(waiting);
        Assert.Equal(["busy 1", "quiet 1", "busy 2", "busy 3"], order);
        Assert.Equal((0, 0), (queue.Running, queue.Waiting));

        async Task AddAsync(Guid domain, string name)
        {
            Assert.Null(await queue.EnterAsync(domain, default));
            order.Add(name);
            queue.Leave();
        }
    }

    [Fact]
    public async Task A_domain_above_its_share_of_the_queue_is_rejected_with_429_and_others_still_wait()
    {
        var queue = Queue(waitingPerDomain: 2);
        Assert.Null(await queue.EnterAsync(_busy, default));
        var waiting = Enumerable.Range(0, 2).Select(_ => queue.EnterAsync(_busy, default).AsTask()).ToList();
        Assert.Equal((429, 2), (await queue.EnterAsync(_busy, default)) is { } error ? (error.Status, error.RetryAfter) : default);
        var other = queue.EnterAsync(_quiet, default);
        Assert.False(other.IsCompleted);
        Assert.Equal(3, queue.Waiting);
        Assert.All(waiting, static task => Assert.False(task.IsCompleted));
    }

    [Fact]
    public async Task A_full_queue_rejects_with_503_and_Retry_After()
    {
        var queue = Queue(waiting: 1);
        Assert.Null(await queue.EnterAsync(_busy, default));
        var waiting = queue.EnterAsync(_busy, default).AsTask();
        var error = await queue.EnterAsync(_quiet, default);
        Assert.Equal((503, "overloaded", 2), (error?.Status, error?.Code, error?.RetryAfter));
        Assert.False(waiting.IsCompleted);
    }

    [Fact]
    public async Task A_request_that_waits_too_long_is_rejected_with_503_and_frees_its_place()
    {
        var queue = Queue(waiting: 1);
        Assert.Null(await queue.EnterAsync(_busy, default));
        var waiting = queue.EnterAsync(_quiet, default).AsTask();
        _time.Advance(TimeSpan.FromSeconds(6));
        Assert.Equal(503, (await waiting)?.Status);
        Assert.Equal(0, queue.Waiting);
        var next = queue.EnterAsync(_quiet, default).AsTask();
        queue.Leave();
        Assert.Null(await next);
    }

    [Fact]
    public async Task A_client_that_disconnects_while_waiting_frees_its_place()
    {
        var queue = Queue();
        Assert.Null(await queue.EnterAsync(_busy, default));
        using var disconnect = new CancellationTokenSource();
        var gone = queue.EnterAsync(_busy, disconnect.Token).AsTask();
        var next = queue.EnterAsync(_quiet, default).AsTask();
        await disconnect.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => gone);
        queue.Leave();
        Assert.Null(await next);
        Assert.Equal((1, 0), (queue.Running, queue.Waiting));
    }

    [Fact]
    public async Task Under_parallel_load_the_limit_is_kept_and_every_request_is_admitted_or_rejected()
    {
        var queue = Queue(running: 8, waiting: 500, waitingPerDomain: 500);
        var (running, most, admitted) = (0, 0, 0);
        await Parallel.ForAsync(0, 400, new ParallelOptions { MaxDegreeOfParallelism = 100 }, async (i, _) =>
        {
            using var impatient = new CancellationTokenSource();
            var entering = queue.EnterAsync(i % 2 == 0 ? _busy : _quiet, impatient.Token);
            if (i % 7 == 0)
            {
                await impatient.CancelAsync();
            }

            try
            {
                if (await entering is not null)
                {
                    return;
                }
            }
            catch (OperationCanceledException)
            {
                return;
            }

            InterlockedMax(ref most, Interlocked.Increment(ref running));
            await Task.Yield();
            Interlocked.Decrement(ref running);
            Interlocked.Increment(ref admitted);
            queue.Leave();
        });
        Assert.InRange(most, 1, 8);
        Assert.InRange(admitted, 300, 400);
        Assert.Equal((0, 0), (queue.Running, queue.Waiting));
    }

    private static void InterlockedMax(ref int target, int value)
    {
        for (var seen = Volatile.Read(ref target); seen < value; seen = Volatile.Read(ref target))
        {
            Interlocked.CompareExchange(ref target, value, seen);
        }
    }
}
