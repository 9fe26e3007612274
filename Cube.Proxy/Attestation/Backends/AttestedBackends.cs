using System.Collections.Concurrent;
using System.Diagnostics;
using System.Diagnostics.Metrics;
using Cube.Attestation;
using Cube.Attestation.Atls;
using Cube.Proxy.Attestation.Policies;
using Cube.Proxy.Attestation.Verdicts;
using Cube.ServiceDefaults.Errors;
using Cube.ServiceDefaults.Peers;

namespace Cube.Proxy.Attestation.Backends;

/// <summary>
/// The only way from this proxy to a model server: connections that were verified under the policies in force, opened before a request
/// needs them, replaced before their lease ends, and ended where nobody vouches for them any more.
/// </summary>
internal sealed partial class AttestedBackends : BackgroundService
{
    public const string Peer = "agent";
    private static readonly TimeSpan _beat = TimeSpan.FromMilliseconds(250);

    /// <summary>Running streams end five seconds after a change at the latest, and a beat comes on top.</summary>
    private static readonly TimeSpan _drain = TimeSpan.FromSeconds(4);

    private readonly ConcurrentDictionary<(Uri Address, string Key), BackendSlot> _slots = new();
    private readonly AttestedDialer _dialer;
    private readonly PoliciesInForce _policies;
    private readonly Peers _peers;
    private readonly VerdictJournal _journal;
    private readonly TimeProvider _time;
    private readonly ILogger<AttestedBackends> _logger;
    private readonly Counter<long> _verdicts;
    private readonly Histogram<double> _duration;

    public AttestedBackends(
        AttestedDialer dialer, PoliciesInForce policies, Peers peers, VerdictJournal journal, TimeProvider time, IMeterFactory meters, ILogger<AttestedBackends> logger)
    {
        (_dialer, _policies, _peers, _journal, _time, _logger) = (dialer, policies, peers, journal, time, logger);
        var meter = meters.Create("Cube.Proxy");
        _verdicts = meter.CreateCounter<long>("cube.proxy.attestation.verdicts", "{verdict}", "Judgements of machines, by outcome, code and type.");
        _duration = meter.CreateHistogram<double>("cube.proxy.attestation.duration", "s", "Time to open and verify a connection.");
        meter.CreateObservableGauge("cube.proxy.attestation.connections", Count, "{connection}", "Attested connections that take requests, by type.");
        _policies.Changed += ApplyChange;
    }

    public IReadOnlyCollection<BackendSlot> Slots => [.. _slots.Values];

    /// <exception cref="AttestationException">No machine satisfies the policies.</exception>
    /// <exception cref="HttpRequestException">The machine cannot be reached.</exception>
    /// <exception cref="UnavailableException">Nobody knows which policies are in force.</exception>
    public ValueTask<AttestedChannel> GetAsync(Guid domain, CancellationToken ct)
    {
        var policies = _policies.Current.Of(domain);
        var address = _peers.TryAddress($"https://{Peer}");
        return address is not null ? Slot(new Uri(address), policies).GetAsync(ct) : FindAsync(policies, ct);
    }

    private async ValueTask<AttestedChannel> FindAsync(PolicySet policies, CancellationToken ct) =>
        await Slot(new Uri(await _peers.AddressAsync($"https://{Peer}", ct)), policies).GetAsync(ct);

    private BackendSlot Slot(Uri address, PolicySet policies) =>
        _slots.GetOrAdd((address, policies.Key), static (key, state) => new BackendSlot(key.Address, state.policies, state.Item1.OpenAsync, state.Item1._time), (this, policies));

    /// <summary>Opens and verifies; what was judged is counted, kept and logged here, once.</summary>
    private async Task<AttestedChannel> OpenAsync(Uri address, PolicySet policies, CancellationToken ct)
    {
        var start = Stopwatch.GetTimestamp();
        try
        {
            var channel = await _dialer.OpenAsync(address, policies.Policies, ct);
            // Verified against what was in force when it began; what has changed since must be held against it anew.
            if (!IsInForce(policies.Key))
            {
                channel.Abort(Codes.PolicyMissing, "The policies changed while the machine was verified.");
                channel.Dispose();
                throw new AttestationException(Codes.PolicyMissing, "The policies changed while the machine was verified.");
            }

            Record(address, channel.Verdict, null);
            Attested(address, channel.Verdict.Outcome, channel.Verdict.Type, policies.Key);
            return channel;
        }
        catch (AttestationException exception)
        {
            Record(address, exception.Verdict, exception);
            Refused(address, exception.Code, policies.Key);
            throw;
        }
        finally
        {
            _duration.Record(Stopwatch.GetElapsedTime(start).TotalSeconds);
        }
    }

    /// <summary>What nobody knows is not in force.</summary>
    private bool IsInForce(string key)
    {
        try
        {
            return _policies.Current.Keys.Contains(key);
        }
        catch (UnavailableException)
        {
            return false;
        }
    }

    private void Record(Uri address, Verdict? verdict, AttestationException? refusal)
    {
        _verdicts.Add(1,
            new("cube.attestation.outcome", (verdict?.Outcome ?? Outcome.Invalid).ToString()),
            new("cube.attestation.code", refusal?.Code ?? "none"),
            new("cube.attestation.type", verdict?.Type ?? "unknown"));
        if (verdict is not null)
        {
            _journal.Keep(address, verdict);
        }
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var beat = new PeriodicTimer(_beat, _time);
        var isFirst = true;
        while (isFirst || await WaitAsync())
        {
            isFirst = false;
            try
            {
                await BeatAsync(stoppingToken);
            }
            catch (Exception exception) when (exception is UnavailableException or InvalidOperationException)
            {
                // Nobody knows what is in force. Requests hear it; what runs ends with its lease.
            }
        }

        foreach (var slot in _slots.Values)
        {
            slot.AbortAll(new AttestationException(Codes.AtlsFrame, "The proxy stops."));
        }

        async Task<bool> WaitAsync()
        {
            try
            {
                return await beat.WaitForNextTickAsync(stoppingToken);
            }
            catch (OperationCanceledException)
            {
                return false;
            }
        }
    }

    private async Task BeatAsync(CancellationToken ct)
    {
        var snapshot = _policies.Current;
        var now = _time.GetUtcNow();
        foreach (var address in await _peers.AddressesAsync($"https://{Peer}", ct))
        {
            // Before the first request: nobody waits for evidence.
            Warm(Slot(new Uri(address), snapshot.PlatformSet), now);
        }

        foreach (var (key, slot) in _slots)
        {
            var isInForce = snapshot.Keys.Contains(key.Key);
            if (isInForce)
            {
                Warm(slot, now);
            }

            var successor = isInForce ? slot : _slots.GetValueOrDefault((slot.Address, snapshot.Of(slot.Policies.Scope).Key));
            if (!slot.Sweep(now, successor?.Current) && !isInForce)
            {
                _slots.TryRemove(key, out _);
            }
        }
    }

    /// <summary>Whoever is refused or away is asked again by itself, and not more often than the slot allows.</summary>
    private static void Warm(BackendSlot slot, DateTimeOffset now)
    {
        if (slot.Current is not { TakesRequests: true } || slot.IsDueForRenewal(now))
        {
            _ = slot.OpenAsync(CancellationToken.None).ContinueWith(
                static task => _ = task.Exception, CancellationToken.None, TaskContinuationOptions.OnlyOnFaulted | TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
        }
    }

    /// <summary>At once, not at the next beat: no request may use a connection that was verified under what is no longer in force.</summary>
    private void ApplyChange()
    {
        var snapshot = _policies.Current;
        var deadline = _time.GetUtcNow() + _drain;
        foreach (var (key, slot) in _slots)
        {
            if (!snapshot.Keys.Contains(key.Key))
            {
                slot.Retire(deadline);
                Warm(Slot(slot.Address, snapshot.Of(slot.Policies.Scope)), _time.GetUtcNow());
            }
        }
    }

    private IEnumerable<Measurement<int>> Count() => _slots.Values
        .Select(static slot => slot.Current)
        .OfType<AttestedChannel>()
        .Where(static channel => channel.TakesRequests)
        .GroupBy(static channel => channel.Verdict.Outcome == Outcome.Simulated ? "simulated" : channel.Verdict.Type)
        .Select(static group => new Measurement<int>(group.Count(), new KeyValuePair<string, object?>("cube.attestation.type", group.Key)));

    public override void Dispose()
    {
        _policies.Changed -= ApplyChange;
        base.Dispose();
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "The machine at {Address} is attested: {Outcome}, {Type}, policies {Key}")]
    private partial void Attested(Uri address, Outcome outcome, string type, string key);

    [LoggerMessage(Level = LogLevel.Warning, Message = "The machine at {Address} is refused: {Code}, policies {Key}")]
    private partial void Refused(Uri address, string code, string key);
}
