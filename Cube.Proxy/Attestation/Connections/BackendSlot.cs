using System.Diagnostics;
using System.Security.Cryptography;
using Cube.Attestation;
using Cube.Attestation.Atls;
using Cube.Attestation.Verdicts;
using Cube.Proxy.Configuration;

namespace Cube.Proxy.Attestation.Connections;

/// <summary>
/// The attested connections to one machine under one set of policies: one that takes requests, and older ones on which streams still
/// run. However many ask for it, a new one is opened once.
/// </summary>
internal sealed class BackendSlot(Uri address, PolicySet policies, Func<Uri, PolicySet, CancellationToken, Task<AttestedChannel>> open, TimeProvider time)
{
    private static readonly TimeSpan _patience = TimeSpan.FromSeconds(20);
    private static readonly TimeSpan _pause = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan _longestBackoff = TimeSpan.FromSeconds(60);
    private readonly Lock _gate = new();
    private readonly List<Draining> _draining = [];
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

    /// <summary>The judgement of the last attempt, whichever way it went.</summary>
    public Exception? Failure => _failure;

    /// <summary>Whether the proxy may dial without a request: after each failure in a row it waits twice as long, up to a minute. A request itself waits a second at most.</summary>
    public bool MayDial
    {
        get
        {
            lock (_gate)
            {
                return _failure is null || time.GetElapsedTime(_failedAt) >= _backoff;
            }
        }
    }

    /// <param name="failures">In a row, from 1 on.</param>
    /// <param name="random">0 to 1: proxies that failed together do not dial together again.</param>
    public static TimeSpan BackoffAfter(int failures, double random) =>
        TimeSpan.FromSeconds(Math.Clamp(Math.Pow(2, Math.Min(failures, 16) - 1) * (0.8 + (0.4 * random)), _pause.TotalSeconds, _longestBackoff.TotalSeconds));

    /// <summary>Notes that a request uses the slot.</summary>
    /// <returns>False where it was closed for want of requests: another one takes its place.</returns>
    public bool TryUse()
    {
        lock (_gate)
        {
            _usedAt = time.GetTimestamp();
            return !_isClosed;
        }
    }

    /// <summary>Closes the slot where no request has used it for so long; what runs on it may finish.</summary>
    /// <returns>Whether it is closed.</returns>
    public bool CloseIfIdle(TimeSpan idle)
    {
        lock (_gate)
        {
            if (!_isClosed && _opening is null or { IsCompleted: true } && time.GetElapsedTime(_usedAt) >= idle)
            {
                _isClosed = true;
                if (_current is { } channel)
                {
                    channel.Retire();
                    _draining.Add(new Draining(channel, null));
                    _current = null;
                }
            }

            return _isClosed;
        }
    }

    /// <summary>Without waiting where a connection is there, and that is nearly always.</summary>
    /// <exception cref="AttestationException">The machine is refused.</exception>
    /// <exception cref="HttpRequestException">It cannot be reached.</exception>
    public ValueTask<AttestedChannel> GetAsync(CancellationToken ct) =>
        _current is { AcceptsRequests: true } channel ? new(channel) : new(OpenAsync(ct));

    /// <summary>A connection that is older than three quarters of its lease is replaced before it ends.</summary>
    public bool IsDueForRenewal(DateTimeOffset now) =>
        _current is { } channel && now >= channel.Verdict.EvaluatedAt + (0.75 * (channel.Verdict.ExpiresAt - channel.Verdict.EvaluatedAt));

    public Task<AttestedChannel> OpenAsync(CancellationToken ct)
    {
        lock (_gate)
        {
            if (_opening is null or { IsCompleted: true })
            {
                // Who fails is asked again after a second, not by every request.
                if (_failure is { } failure && time.GetElapsedTime(_failedAt) < _pause)
                {
                    return Task.FromException<AttestedChannel>(failure);
                }

                // Not the first request's own business: others wait for it, and its cancellation must not be theirs.
                using (ExecutionContext.SuppressFlow())
                {
                    _opening = Task.Run(OpenOnceAsync, CancellationToken.None);
                }
            }

            return _opening.WaitAsync(ct);
        }
    }

    /// <summary>No request may use this slot any more; what runs may finish only if somebody vouches for its key in time.</summary>
    public void Retire(DateTimeOffset deadline)
    {
        lock (_gate)
        {
            if (_current is { } channel)
            {
                channel.Retire();
                _draining.Add(new Draining(channel, deadline));
                _current = null;
            }

            for (var i = 0; i < _draining.Count; i++)
            {
                if (_draining[i].Deadline is null || _draining[i].Deadline > deadline)
                {
                    _draining[i] = _draining[i] with { Deadline = deadline };
                }
            }
        }
    }

    /// <summary>Ends what must end: what is over, and what nobody vouches for.</summary>
    /// <param name="vouching">A fresh connection under the policies in force; null where there is none.</param>
    /// <returns>True while something is left.</returns>
    public bool Sweep(DateTimeOffset now, AttestedChannel? vouching)
    {
        lock (_gate)
        {
            if (_current is { IsOpen: false } gone)
            {
                gone.Dispose();
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
                else if (vouching is not null && (deadline is not null || now >= channel.Until) && channel.TryExtend(vouching))
                {
                    _draining[i] = new Draining(channel, null);
                }
                else if (now >= channel.Until || now >= deadline)
                {
                    channel.Abort(Codes.AtlsLeaseEnded, "The attestation of the connection has ended.");
                    channel.Dispose();
                    _draining.RemoveAt(i);
                }
            }

            return _current is not null || _draining.Count > 0;
        }
    }

    /// <summary>The machine was refused just now: what ran on the word of before ends at once.</summary>
    public void AbortAll(AttestationException reason)
    {
        lock (_gate)
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
        using var timeout = new CancellationTokenSource(_patience);
        try
        {
            Activity.Current = null;
            var channel = await open(address, policies, timeout.Token);
            lock (_gate)
            {
                if (_current is { } old)
                {
                    old.Retire();
                    _draining.Add(new Draining(old, null));
                }

                (_current, _failure, _failures) = (channel, null, 0);
            }

            return channel;
        }
        catch (Exception exception)
        {
            lock (_gate)
            {
                (_failure, _failedAt, _failures) = (exception, time.GetTimestamp(), _failures + 1);
                _backoff = BackoffAfter(_failures, RandomNumberGenerator.GetInt32(1001) / 1000.0);
            }

            if (exception is AttestationException { Verdict.Outcome: Outcome.Invalid } refused)
            {
                AbortAll(refused);
            }

            throw;
        }
    }

    /// <param name="Deadline">When it ends unless a fresh verdict extends it; null for its own lease.</param>
    private sealed record Draining(AttestedChannel Channel, DateTimeOffset? Deadline);
}
