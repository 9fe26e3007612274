using System.Collections.Concurrent;
using System.Diagnostics;
using System.Diagnostics.Metrics;
using Cube.Attestation;
using Cube.Attestation.Atls;
using Cube.Attestation.Verdicts;
using Cube.Proxy.Attestation.Verdicts;
using Cube.Proxy.Configuration;
using Cube.Proxy.Configuration.Routes;
using Cube.ServiceDefaults.Errors;
using Cube.ServiceDefaults.Networking;

namespace Cube.Proxy.Attestation.Connections;

/// <summary>
/// The only way from this proxy to a model server: connections that were verified under the policies in force, opened before a request
/// needs them, replaced before their lease ends, and ended where nobody vouches for them any more.
/// </summary>
internal sealed partial class AttestedBackends : BackgroundService
{
    public const string Peer = "agent";
    private static readonly TimeSpan _beat = TimeSpan.FromMilliseconds(250);

    /// <summary>A domain with a policy of its own has connections of its own; without requests for so long it keeps none.</summary>
    private static readonly TimeSpan _idle = TimeSpan.FromMinutes(10);

    /// <summary>Running streams end five seconds after a change at the latest, and a beat comes on top.</summary>
    private static readonly TimeSpan _drain = TimeSpan.FromSeconds(4);

    private readonly ConcurrentDictionary<(Uri Address, string Key), BackendSlot> _slots = new();

    /// <summary>Slots that were closed for want of requests and replaced, while something still runs on them.</summary>
    private readonly ConcurrentDictionary<BackendSlot, string> _closed = new();
    private readonly AttestedChannelFactory _dialer;
    private readonly ProxyConfigurationProvider _policies;
    private readonly ServiceAddresses _serviceAddresses;
    private readonly VerdictJournal _journal;
    private readonly TimeProvider _time;
    private readonly ILogger<AttestedBackends> _logger;
    private readonly Counter<long> _verdicts;
    private readonly Histogram<double> _duration;
    private int _turn;

    public AttestedBackends(
        AttestedChannelFactory dialer, ProxyConfigurationProvider policies, ServiceAddresses serviceAddresses, VerdictJournal journal, TimeProvider time, IMeterFactory meters, ILogger<AttestedBackends> logger)
    {
        (_dialer, _policies, _serviceAddresses, _journal, _time, _logger) = (dialer, policies, serviceAddresses, journal, time, logger);
        var meter = meters.Create("Cube.Proxy");
        _verdicts = meter.CreateCounter<long>("cube.proxy.attestation.verdicts", "{verdict}", "Judgements of machines, by outcome, code and type.");
        _duration = meter.CreateHistogram<double>("cube.proxy.attestation.duration", "s", "Time to open and verify a connection.");
        meter.CreateObservableGauge("cube.proxy.attestation.connections", Count, "{connection}", "Attested connections that take requests, by type.");
        _policies.Changed += ApplyChange;
    }

    public IReadOnlyCollection<BackendSlot> Slots => [.. _slots.Values];

    /// <summary>A connection to one of the route's machines: in turn to those that have proved themselves, else to the first that does now.</summary>
    /// <exception cref="AttestationException">No machine satisfies the policies.</exception>
    /// <exception cref="HttpRequestException">None can be reached.</exception>
    /// <exception cref="UnavailableException">Nobody knows which policies are in force.</exception>
    public ValueTask<AttestedChannel> GetAsync(Route route, Guid domain, CancellationToken ct)
    {
        var snapshot = _policies.Current;
        if (!snapshot.Routes.Holds(route))
        {
            throw new AttestationException(Codes.PolicyMissing, "The route changed while the request was on its way.");
        }

        var policies = snapshot.Of(domain, route.Id);
        if (policies.IsClosed)
        {
            throw new AttestationException(Codes.PolicyMissing, "A stored policy or catalog cannot be loaded.");
        }

        var addresses = _serviceAddresses.AddressesAsync(route.Target, ct);
        return addresses.IsCompletedSuccessfully ? GetAsync(addresses.Result, policies, ct) : WaitAsync();

        async ValueTask<AttestedChannel> WaitAsync() => await GetAsync(await addresses, policies, ct);
    }

    private ValueTask<AttestedChannel> GetAsync(Uri[] addresses, PolicySet policies, CancellationToken ct)
    {
        var turn = addresses.Length == 1 ? 0 : Interlocked.Increment(ref _turn) & int.MaxValue;
        for (var i = 0; i < addresses.Length; i++)
        {
            if (Slot(addresses[(turn + i) % addresses.Length], policies).Current is { AcceptsRequests: true } channel)
            {
                return new(channel);
            }
        }

        return new(OpenAnyAsync(addresses, turn, policies, ct));
    }

    private async Task<AttestedChannel> OpenAnyAsync(Uri[] addresses, int turn, PolicySet policies, CancellationToken ct)
    {
        Exception? failure = null;
        for (var i = 0; i < addresses.Length; i++)
        {
            try
            {
                return await Slot(addresses[(turn + i) % addresses.Length], policies).GetAsync(ct);
            }
            catch (Exception exception) when (exception is AttestationException or HttpRequestException || (exception is OperationCanceledException && !ct.IsCancellationRequested))
            {
                // That one is refused says more than that another is away.
                failure = exception is AttestationException ? exception : failure ?? exception;
            }
        }

        throw failure ?? new HttpRequestException("The route has no address.");
    }

    /// <summary>Whether an address is one of a target's.</summary>
    public async ValueTask<bool> LeadsToAsync(Uri target, Uri address, CancellationToken ct) => (await _serviceAddresses.AddressesAsync(target, ct)).Contains(address);

    private BackendSlot Slot(Uri address, PolicySet policies)
    {
        var key = (address, policies.Key);
        while (true)
        {
            var slot = _slots.TryGetValue(key, out var known)
                ? known
                : _slots.GetOrAdd(key, static (key, state) => new BackendSlot(key.Address, state.policies, state.Item1.OpenAsync, state.Item1._time), (this, policies));
            if (slot.TryUse())
            {
                return slot;
            }

            // Closed this moment for want of requests; what still runs on it is the sweep's.
            _closed.TryAdd(slot, key.Key);
            _slots.TryRemove(new(key, slot));
        }
    }

    /// <summary>Opens and verifies; what was judged is counted, kept and logged here, once.</summary>
    private async Task<AttestedChannel> OpenAsync(Uri address, PolicySet policies, CancellationToken ct)
    {
        var start = Stopwatch.GetTimestamp();
        try
        {
            var channel = await _dialer.OpenAsync(address, policies.Policies, ct);
            // Verified against what was in force when it began; what has changed since must be held against it anew.
            if (!IsInForce(policies))
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
    private bool IsInForce(PolicySet policies)
    {
        try
        {
            return _policies.Current.IsInForce(policies);
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

        foreach (var slot in _slots.Values.Concat(_closed.Keys))
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
        var targets = new HashSet<Uri>();
        foreach (var route in snapshot.Routes.All)
        {
            foreach (var address in await _serviceAddresses.AddressesAsync(route.Target, ct))
            {
                targets.Add(address);
                // Before the first request: nobody waits for evidence.
                if (snapshot.Of(Guid.Empty, route.Id) is { IsClosed: false } policies)
                {
                    Warm(Slot(address, policies), now);
                }
            }
        }

        foreach (var (key, slot) in _slots)
        {
            var isTarget = targets.Contains(slot.Address);
            var isInForce = isTarget && snapshot.IsInForce(slot.Policies);
            var isIdle = slot.Policies.Domain != Guid.Empty && slot.CloseIfIdle(_idle);
            if (isInForce && !isIdle)
            {
                Warm(slot, now);
            }
            else if (!isTarget && slot.Current is { } orphan)
            {
                // No route leads there any more. What runs may finish: nothing has been held against the machine.
                slot.Retire(orphan.Until);
            }

            isInForce &= !isIdle;
            var successor = isInForce ? slot : _slots.GetValueOrDefault((slot.Address, snapshot.Of(slot.Policies.Domain, slot.Policies.Route).Key));
            if (!slot.Sweep(now, successor?.Current) && !isInForce)
            {
                _slots.TryRemove(new(key, slot));
            }
        }

        foreach (var slot in _closed.Keys)
        {
            if (!slot.Sweep(now, null))
            {
                _closed.TryRemove(slot, out _);
            }
        }
    }

    /// <summary>Dials without a request: a machine that has no connection, or one whose lease is nearly over.</summary>
    private static void Warm(BackendSlot slot, DateTimeOffset now)
    {
        if ((slot.Current is not { AcceptsRequests: true } || slot.IsDueForRenewal(now)) && slot.MayDial)
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
        foreach (var slot in _closed.Keys.Where(slot => !snapshot.IsInForce(slot.Policies)))
        {
            slot.Retire(deadline);
        }

        foreach (var slot in _slots.Values)
        {
            if (!snapshot.IsInForce(slot.Policies))
            {
                slot.Retire(deadline);
                if (snapshot.Of(slot.Policies.Domain, slot.Policies.Route) is { IsClosed: false } policies)
                {
                    Warm(Slot(slot.Address, policies), _time.GetUtcNow());
                }
            }
        }
    }

    private IEnumerable<Measurement<int>> Count() => _slots.Values
        .Select(static slot => slot.Current)
        .OfType<AttestedChannel>()
        .Where(static channel => channel.AcceptsRequests)
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
