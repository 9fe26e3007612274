using System.Diagnostics;
using System.Security.Cryptography;
using Cube.Attestation;
using Cube.Attestation.Atls;
using Cube.Attestation.Verdicts;
using Cube.Proxy.Configuration;

namespace Cube.Proxy.Attestation.Connections;

/// <summary>
/// The attested connections to one machine under one policy set: the current connection, which accepts requests, and draining connections, on which streams still run. Concurrent requests share
/// one attempt to open a connection.
/// </summary>
internal sealed class BackendConnectionPool(Uri address, PolicySet policies, Func<Uri, PolicySet, CancellationToken, Task<AttestedChannel>> open, TimeProvider time)
{
    private static readonly TimeSpan _openTimeout = TimeSpan.FromSeconds(20);

    /// <summary>Delay after a failure before a request may open a connection, and the minimum of the backoff.</summary>
    private static readonly TimeSpan _retryDelay = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan _maxBackoff = TimeSpan.FromSeconds(60);
    private readonly Lock _lock = new();
    private readonly List<DrainingConnection> _draining = [];
    private volatile AttestedChannel? _current;
    private Task<AttestedChannel>? _opening;
    private Exception? _failure;
    private long _failedAt;
    private TimeSpan _backoff;
    private int _failures;
    private long _usedAt = time.GetTimestamp();
    private bool _isClosed;

    public Uri Address => address;

    public PolicySet Policies => policies;

    public AttestedChannel? Current => _current;

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
                Replace(null, drainUntil: null);
            }

            return _isClosed;
        }
    }

    /// <summary>Completes synchronously if the current connection accepts requests.</summary>
    /// <exception cref="AttestationException">The Verifier rejected the machine.</exception>
    /// <exception cref="HttpRequestException">The machine cannot be reached.</exception>
    public ValueTask<AttestedChannel> GetAsync(CancellationToken ct) =>
        _current is { AcceptsRequests: true } channel ? new(channel) : new(OpenAsync(ct));

    /// <summary>True after three quarters of the lease of the current connection.</summary>
    public bool IsDueForRenewal(DateTimeOffset now) =>
        _current is { } channel && now >= channel.Verdict.EvaluatedAt + (0.75 * (channel.Verdict.ExpiresAt - channel.Verdict.EvaluatedAt));

    /// <summary>Opens a connection and makes it the current one, or waits for the attempt that is already running. Rethrows the last failure for one second.</summary>
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
            Replace(null, deadline);
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
            if (_current is { IsOpen: false } closed)
            {
                closed.Dispose();
                _current = null;
            }

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

            return _current is not null || _draining.Count > 0;
        }
    }

    /// <summary>Closes all connections immediately. Running requests fail with the code of <paramref name="reason"/>.</summary>
    public void AbortAll(AttestationException reason)
    {
        lock (_lock)
        {
            foreach (var channel in _draining.Select(static draining => draining.Channel).Append(_current).OfType<AttestedChannel>())
            {
                channel.Abort(reason.Code, reason.Message);
                channel.Dispose();
            }

            _draining.Clear();
            _current = null;
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
                Replace(channel, drainUntil: null);
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

    /// <summary>Sets the current connection and drains the one before. The caller holds the lock.</summary>
    private void Replace(AttestedChannel? channel, DateTimeOffset? drainUntil)
    {
        if (_current is { } old)
        {
            old.Retire();
            _draining.Add(new DrainingConnection(old, drainUntil));
        }

        _current = channel;
    }

    /// <param name="Deadline">When the proxy aborts the connection, unless a new verdict extends it; null for the end of its own lease.</param>
    private sealed record DrainingConnection(AttestedChannel Channel, DateTimeOffset? Deadline);
}
