using Cube.Inference.Errors;

namespace Cube.Proxy.Limits;

/// <summary>Limits the concurrent requests to one target. Waiting requests are admitted in turns of their domains, so that a domain with many requests does not delay the others.</summary>
internal sealed class BackendQueue(BackendLimitOptions options, TimeProvider time)
{
    private readonly Lock _lock = new();
    private readonly Dictionary<Guid, LinkedList<Waiter>> _domains = [];

    /// <summary>The keys of <see cref="_domains"/>, in the order of their turns.</summary>
    private readonly Queue<Guid> _turns = new();
    private int _running;
    private int _waiting;

    /// <summary>The number of admitted requests that have not left.</summary>
    public int Running => Volatile.Read(ref _running);

    public int Waiting => Volatile.Read(ref _waiting);

    /// <summary>Completes synchronously if the limit is not reached.</summary>
    /// <returns>The error if the request is rejected; null if it is admitted. Then the caller must call <see cref="Leave"/>.</returns>
    /// <exception cref="OperationCanceledException">The token was canceled. The request is not admitted.</exception>
    public ValueTask<OpenAiError?> EnterAsync(Guid domain, CancellationToken ct)
    {
        Waiter waiter;
        lock (_lock)
        {
            if (_running < options.MaxConcurrentRequests && _waiting == 0)
            {
                _running++;
                return default;
            }

            if (_waiting >= options.MaxWaitingRequests)
            {
                return new(OpenAiError.Overloaded);
            }

            var isKnown = _domains.TryGetValue(domain, out var queue);
            if ((queue?.Count ?? 0) >= options.MaxWaitingRequestsPerDomain)
            {
                return new(OpenAiError.TooManyRequests);
            }

            if (!isKnown)
            {
                _domains[domain] = queue = new LinkedList<Waiter>();
                _turns.Enqueue(domain);
            }

            waiter = new Waiter(queue!);
            queue!.AddLast(waiter);
            _waiting++;
        }

        return new(WaitAsync(waiter, ct));
    }

    /// <summary>Ends an admitted request and admits the next one.</summary>
    public void Leave()
    {
        Waiter? next = null;
        lock (_lock)
        {
            while (next is null && _turns.TryDequeue(out var domain))
            {
                var queue = _domains[domain];
                next = queue.First?.Value;
                if (next is not null)
                {
                    queue.RemoveFirst();
                }

                // The queue can be empty because its requests no longer wait.
                if (queue.Count > 0)
                {
                    _turns.Enqueue(domain);
                }
                else
                {
                    _domains.Remove(domain);
                }
            }

            if (next is null)
            {
                _running--;
            }
            else
            {
                next.IsAdmitted = true;
                _waiting--;
            }
        }

        next?.Completion.SetResult();
    }

    private async Task<OpenAiError?> WaitAsync(Waiter waiter, CancellationToken ct)
    {
        try
        {
            await waiter.Completion.Task.WaitAsync(options.WaitTimeout, time, ct);
            return null;
        }
        catch (TimeoutException)
        {
            return Abandon(waiter) ? OpenAiError.Overloaded : null;
        }
        catch (OperationCanceledException)
        {
            if (!Abandon(waiter))
            {
                Leave();
            }

            throw;
        }
    }

    /// <returns>False if the request was admitted at the same time.</returns>
    private bool Abandon(Waiter waiter)
    {
        lock (_lock)
        {
            if (waiter.IsAdmitted)
            {
                return false;
            }

            waiter.Queue.Remove(waiter);
            _waiting--;
            return true;
        }
    }

    private sealed class Waiter(LinkedList<Waiter> queue)
    {
        public LinkedList<Waiter> Queue => queue;

        public TaskCompletionSource Completion { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public bool IsAdmitted { get; set; }
    }
}
