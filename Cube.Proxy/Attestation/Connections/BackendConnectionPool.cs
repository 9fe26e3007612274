using System.Diagnostics;
using System.Security.Cryptography;
using Cube.Attestation;
using Cube.Attestation.Atls;
using Cube.Attestation.Verdicts;
using Cube.Proxy.Configuration;

namespace Cube.Proxy.Attestation.Connections;

/// <summary>
/// The attested connections to one machine under one policy set: the current connections, which accept requests, and draining connections, on which streams still run. The pool opens another connection before the
/// current ones are full, and drains one when fewer suffice. Concurrent requests share one attempt to open a connection.
/// </summary>
internal sealed class BackendConnectionPool(Uri address, PolicySet policies, Func<Uri, PolicySet, CancellationToken, Task<AttestedChannel>> open, TimeProvider time)
{
    private static readonly TimeSpan _openTimeout = TimeSpan.FromSeconds(20);

    /// <summary>Delay after a failure before a request may open a connection, and the minimum of the backoff.</summary>
    private static readonly TimeSpan _retryDelay = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan _maxBackoff = TimeSpan.FromSeconds(60);

    /// <summary>The pool drains a connection when fewer have sufficed for this time.</summary>
    private static readonly TimeSpan _shrinkDelay = TimeSpan.FromMinutes(1);
    private readonly Lock _lock = new();
    private readonly List<DrainingConnection> _draining = [];

    /// <summary>The newest connection first. The array is replaced, never changed.</summary>
    private volatile AttestedChannel[] _current = [];
    private Task<AttestedChannel>? _opening;
    private Exception? _failure;
    private long _failedAt;
    private TimeSpan _backoff;
    private int _failures;
    private long _usedAt = time.GetTimestamp();
    private long _neededAt = time.GetTimestamp();
    private bool _isClosed;

    public Uri Address => address;

    public PolicySet Policies => policies;

    /// <summary>The newest connection that may be used; null if there is none. It may have reached the agent's limit of concurrent requests.</summary>
    public AttestedChannel? Current => Array.Find(_current, static channel => channel.IsUsable);

    /// <summary>The number of connections that accept requests.</summary>
    public int Count => _current.Count(static channel => channel.IsUsable);

    /// <summary>The error of the last attempt to open a connection; null if it succeeded.</summary>
    public Exception? Failure => _failure;

    /// <summary>
    /// True if the proxy may open a connection without a request: the backoff since the last failure is over. The backoff doubles with each consecutive failure, up to a minute. Requests wait at most
    /// one second after a failure.
    /// </summary>
    public bool IsBackoffOver
    {
        get
        {
            lock (_lock)
            {
                return _failure is null || time.GetElapsedTime(_failedAt) >= _backoff;
            }
        }
    }

    /// <param name="failures">Number of consecutive failures, at least 1.</param>
    /// <param name="random">Jitter from 0 to 1, so that proxies that failed together do not retry together.</param>
    public static TimeSpan BackoffAfter(int failures, double random) =>
        TimeSpan.FromSeconds(Math.Clamp(Math.Pow(2, Math.Min(failures, 16) - 1) * (0.8 + (0.4 * random)), _retryDelay.TotalSeconds, _maxBackoff.TotalSeconds));

    /// <summary>Restarts the idle timeout.</summary>
    /// <returns>False if the pool is closed and the caller must use another one.</returns>
    public bool TryUse()
    {
        lock (_lock)
        {
            _usedAt = time.GetTimestamp();
            return !_isClosed;
        }
    }

    /// <summary>Closes the pool if no request has used it for <paramref name="idle"/>. Running requests may finish.</summary>
    /// <returns>True if the pool is closed.</returns>
    public bool CloseIfIdle(TimeSpan idle)
    {
        lock (_lock)
        {
            if (!_isClosed && _opening is null or { IsCompleted: true } && time.GetElapsedTime(_usedAt) >= idle)
            {
                _isClosed = true;
                Drain(static _ => true, drainUntil: null);
            }

            return _isClosed;
        }
    }

    /// <summary>Returns the connection with the fewest requests. Opens another one in the background if half of its capacity is in use.</summary>
    /// <returns>Null if no connection accepts requests.</returns>
    public AttestedChannel? Find()
    {
        AttestedChannel? best = null;
        foreach (var channel in _current)
        {
            if ((best is null || channel.Running < best.Running) && channel.AcceptsRequests)
            {
                best = channel;
            }
        }

        if (best is not null && best.Running >= best.MaxRequests / 2)
        {
            Volatile.Write(ref _neededAt, time.GetTimestamp());
            OpenInBackground();
        }

        return best;
    }

    /// <summary>Completes synchronously if a connection accepts requests.</summary>
    /// <exception cref="AttestationException">The Verifier rejected the machine.</exception>
    /// <exception cref="HttpRequestException">The machine cannot be reached.</exception>
    public ValueTask<AttestedChannel> GetAsync(CancellationToken ct) => Find() is { } channel ? new(channel) : new(WaitAsync(ct));

    /// <summary>True after three quarters of the lease of a connection.</summary>
    public bool IsDueForRenewal(DateTimeOffset now) => _current.Any(channel => IsDue(channel, now));

    /// <summary>Opens a connection without waiting for it, unless the last attempt failed and its backoff is not over.</summary>
    public void OpenInBackground()
    {
        if (IsBackoffOver)
        {
            _ = OpenAsync(CancellationToken.None).ContinueWith(
                static task => _ = task.Exception, CancellationToken.None, TaskContinuationOptions.OnlyOnFaulted | TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
        }
    }

    /// <summary>Opens a connection that accepts requests, or waits for the attempt that is already running. Rethrows the last failure for one second.</summary>
    public Task<AttestedChannel> OpenAsync(CancellationToken ct)
    {
        lock (_lock)
        {
            if (_opening is null or { IsCompleted: true })
            {
                if (_failure is { } failure && time.GetElapsedTime(_failedAt) < _retryDelay)
                {
                    return Task.FromException<AttestedChannel>(failure);
                }

                // Several requests wait for this task: it has neither the cancellation nor the execution context of the first one.
                using (ExecutionContext.SuppressFlow())
                {
                    _opening = Task.Run(OpenOnceAsync, CancellationToken.None);
                }
            }

            return _opening.WaitAsync(ct);
        }
    }

    /// <summary>Stops accepting new requests. Running requests end at <paramref name="deadline"/>, unless a new verdict for the same key extends them before.</summary>
    public void Retire(DateTimeOffset deadline)
    {
        lock (_lock)
        {
            Drain(static _ => true, deadline);
            for (var i = 0; i < _draining.Count; i++)
            {
                if (_draining[i].Deadline is null || _draining[i].Deadline > deadline)
                {
                    _draining[i] = _draining[i] with { Deadline = deadline };
                }
            }
        }
    }

    /// <summary>Disposes connections that are closed or have no running requests. Extends the others with <paramref name="successor"/>, or aborts them when their lease or deadline is over.</summary>
    /// <param name="successor">The current connection to the machine under the active policies; null if there is none.</param>
    /// <returns>True if the pool still has a connection.</returns>
    public bool RemoveExpired(DateTimeOffset now, AttestedChannel? successor)
    {
        lock (_lock)
        {
            foreach (var closed in _current.Where(static channel => !channel.IsOpen))
            {
                closed.Dispose();
            }

            _current = [.. _current.Where(static channel => channel.IsOpen)];
            // A renewal that failed leaves connections whose lease is over.
            Drain(static channel => !channel.IsUsable, drainUntil: null);
            Shrink();

            for (var i = _draining.Count - 1; i >= 0; i--)
            {
                var (channel, deadline) = _draining[i];
                if (channel.Running == 0 || !channel.IsOpen)
                {
                    channel.Dispose();
                    _draining.RemoveAt(i);
                }
                else if (successor is not null && (deadline is not null || now >= channel.Until) && channel.TryExtend(successor))
                {
                    _draining[i] = new DrainingConnection(channel, null);
                }
                else if (now >= channel.Until || now >= deadline)
                {
                    channel.Abort(Codes.AtlsLeaseEnded, "The attestation of the connection has expired.");
                    channel.Dispose();
                    _draining.RemoveAt(i);
                }
            }

            return _current.Length > 0 || _draining.Count > 0;
        }
    }

    /// <summary>Closes all connections immediately. Running requests fail with the code of <paramref name="reason"/>.</summary>
    public void AbortAll(AttestationException reason)
    {
        lock (_lock)
        {
            foreach (var channel in _draining.Select(static draining => draining.Channel).Concat(_current))
            {
                channel.Abort(reason.Code, reason.Message);
                channel.Dispose();
            }

            _draining.Clear();
            _current = [];
        }
    }

    private async Task<AttestedChannel> OpenOnceAsync()
    {
        using var timeout = new CancellationTokenSource(_openTimeout);
        try
        {
            Activity.Current = null;
            var channel = await open(address, policies, timeout.Token);
            lock (_lock)
            {
                // The new connection replaces one whose lease is nearly over. Others are renewed after it, so that their requests keep enough connections.
                var now = time.GetUtcNow();
                var due = Array.FindLast(_current, old => IsDue(old, now));
                Drain(old => old == due || !old.IsUsable, drainUntil: null);
                _current = [channel, .. _current];
                (_failure, _failures) = (null, 0);
            }

            return channel;
        }
        catch (Exception exception)
        {
            lock (_lock)
            {
                (_failure, _failedAt, _failures) = (exception, time.GetTimestamp(), _failures + 1);
                _backoff = BackoffAfter(_failures, RandomNumberGenerator.GetInt32(1001) / 1000.0);
            }

            // The machine's Evidence is rejected now, so that its earlier verdicts are not valid either.
            if (exception is AttestationException { Verdict.Outcome: Outcome.Invalid } rejection)
            {
                AbortAll(rejection);
            }

            throw;
        }
    }

    /// <summary>Waits until a connection accepts requests: others can use up the one that was just opened.</summary>
    private async Task<AttestedChannel> WaitAsync(CancellationToken ct)
    {
        while (true)
        {
            var opened = await OpenAsync(ct);
            if (Find() is { } channel)
            {
                return channel;
            }

            if (!opened.IsUsable)
            {
                throw new AttestationException(Codes.AtlsFrame, "The attested connection was closed after it was opened.");
            }
        }
    }

    private static bool IsDue(AttestedChannel channel, DateTimeOffset now) =>
        now >= channel.Verdict.EvaluatedAt + (0.75 * (channel.Verdict.ExpiresAt - channel.Verdict.EvaluatedAt));

    /// <summary>Drains connections. The caller holds the lock.</summary>
    private void Drain(Func<AttestedChannel, bool> condition, DateTimeOffset? drainUntil)
    {
        foreach (var channel in _current.Where(condition))
        {
            channel.Retire();
            _draining.Add(new DrainingConnection(channel, drainUntil));
        }

        _current = [.. _current.Where(channel => !condition(channel))];
    }

    /// <summary>Drains the oldest connection if the others have been less than a quarter full for a minute. The caller holds the lock.</summary>
    private void Shrink()
    {
        if (_current.Length < 2 || time.GetElapsedTime(Volatile.Read(ref _neededAt)) < _shrinkDelay)
        {
            return;
        }

        var capacity = _current[..^1].Sum(static channel => (long)channel.MaxRequests);
        if (_current.Sum(static channel => (long)channel.Running) < capacity / 4)
        {
            var oldest = _current[^1];
            Drain(channel => channel == oldest, drainUntil: null);
            _neededAt = time.GetTimestamp();
        }
    }

    /// <param name="Deadline">When the proxy aborts the connection, unless a new verdict extends it; null for the end of its own lease.</param>
    private sealed record DrainingConnection(AttestedChannel Channel, DateTimeOffset? Deadline);
}
