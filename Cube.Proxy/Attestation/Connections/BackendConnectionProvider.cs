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
/// Provides attested connections to the agents. The proxy sends prompts through these connections only. A background loop opens connections before requests need them, replaces them before their
/// lease expires, and closes those that are not valid under the active policies.
/// </summary>
internal sealed partial class BackendConnectionProvider : BackgroundService
{
    /// <summary>The service name under which the configuration lists the addresses of the agents.</summary>
    public const string ServiceName = "agent";
    private static readonly TimeSpan _interval = TimeSpan.FromMilliseconds(250);

    /// <summary>The proxy closes a pool of a domain with its own policy after this time without requests. The other pools stay open.</summary>
    private static readonly TimeSpan _idleTimeout = TimeSpan.FromMinutes(10);

    /// <summary>Running streams must end within five seconds of a policy change. The loop aborts them up to one interval after this timeout.</summary>
    private static readonly TimeSpan _drainTimeout = TimeSpan.FromSeconds(4);

    private readonly ConcurrentDictionary<(Uri Address, string Key), BackendConnectionPool> _pools = new();

    /// <summary>Pools that were closed when idle and replaced, while requests still run on them.</summary>
    private readonly ConcurrentDictionary<BackendConnectionPool, string> _closedPools = new();
    private readonly AttestedChannelFactory _channels;
    private readonly ProxyConfigurationProvider _configuration;
    private readonly ServiceAddresses _serviceAddresses;
    private readonly VerdictStore _verdictStore;
    private readonly TimeProvider _time;
    private readonly ILogger<BackendConnectionProvider> _logger;
    private readonly Counter<long> _verdicts;
    private readonly Histogram<double> _duration;
    private int _requestCount;

    public BackendConnectionProvider(
        AttestedChannelFactory channels, ProxyConfigurationProvider configuration, ServiceAddresses serviceAddresses, VerdictStore verdictStore, TimeProvider time, IMeterFactory meters,
        ILogger<BackendConnectionProvider> logger)
    {
        (_channels, _configuration, _serviceAddresses, _verdictStore, _time, _logger) = (channels, configuration, serviceAddresses, verdictStore, time, logger);
        var meter = meters.Create("Cube.Proxy");
        _verdicts = meter.CreateCounter<long>("cube.proxy.attestation.verdicts", "{verdict}", "Verdicts on machines, by outcome, code and type.");
        _duration = meter.CreateHistogram<double>("cube.proxy.attestation.duration", "s", "Time to open and verify a connection.");
        meter.CreateObservableGauge("cube.proxy.attestation.connections", CountConnections, "{connection}", "Attested connections that accept requests, by type.");
        _configuration.Changed += ApplyChange;
    }

    public IReadOnlyCollection<BackendConnectionPool> Pools => [.. _pools.Values];

    /// <summary>Returns a connection to one machine of the route: an open one, in round-robin order, or else the first that the proxy can open.</summary>
    /// <exception cref="AttestationException">No machine satisfies the policies, or the route has changed.</exception>
    /// <exception cref="HttpRequestException">No machine can be reached.</exception>
    /// <exception cref="UnavailableException">The proxy does not know the active policies, because its database is unavailable.</exception>
    public ValueTask<AttestedChannel> GetAsync(Route route, Guid domain, CancellationToken ct)
    {
        var snapshot = _configuration.Current;
        if (!snapshot.Routes.Contains(route))
        {
            throw new AttestationException(Codes.PolicyMissing, "The route changed after the request was matched to it.");
        }

        var policies = snapshot.PoliciesFor(domain, route.Id);
        if (policies.IsClosed)
        {
            throw new AttestationException(Codes.PolicyMissing, "The proxy cannot load a stored policy or catalog.");
        }

        var addresses = _serviceAddresses.AddressesAsync(route.Target, ct);
        return addresses.IsCompletedSuccessfully ? GetAsync(addresses.Result, policies, ct) : WaitAsync();

        async ValueTask<AttestedChannel> WaitAsync() => await GetAsync(await addresses, policies, ct);
    }

    private ValueTask<AttestedChannel> GetAsync(Uri[] addresses, PolicySet policies, CancellationToken ct)
    {
        var start = addresses.Length == 1 ? 0 : Interlocked.Increment(ref _requestCount) & int.MaxValue;
        for (var i = 0; i < addresses.Length; i++)
        {
            if (GetPool(addresses[(start + i) % addresses.Length], policies).Find() is { } channel)
            {
                return new(channel);
            }
        }

        return new(OpenFirstAsync(addresses, start, policies, ct));
    }

    private async Task<AttestedChannel> OpenFirstAsync(Uri[] addresses, int start, PolicySet policies, CancellationToken ct)
    {
        Exception? failure = null;
        for (var i = 0; i < addresses.Length; i++)
        {
            try
            {
                return await GetPool(addresses[(start + i) % addresses.Length], policies).GetAsync(ct);
            }
            catch (Exception exception) when (exception is AttestationException or HttpRequestException || (exception is OperationCanceledException && !ct.IsCancellationRequested))
            {
                // A rejection of one machine takes precedence over the unavailability of another.
                failure = exception is AttestationException ? exception : failure ?? exception;
            }
        }

        throw failure ?? new HttpRequestException("The route has no address.");
    }

    /// <returns>True if <paramref name="target"/> resolves to <paramref name="address"/>.</returns>
    public async ValueTask<bool> ResolvesToAsync(Uri target, Uri address, CancellationToken ct) => (await _serviceAddresses.AddressesAsync(target, ct)).Contains(address);

    private BackendConnectionPool GetPool(Uri address, PolicySet policies)
    {
        var key = (address, policies.Key);
        while (true)
        {
            var pool = _pools.TryGetValue(key, out var existing)
                ? existing
                : _pools.GetOrAdd(key, static (key, state) => new BackendConnectionPool(key.Address, state.policies, state.Item1.OpenAsync, state.Item1._time), (this, policies));
            if (pool.TryUse())
            {
                return pool;
            }

            // The background loop has closed the idle pool. It keeps draining the requests that still run on it.
            _closedPools.TryAdd(pool, key.Key);
            _pools.TryRemove(new(key, pool));
        }
    }

    /// <summary>Opens and verifies a connection; counts, stores and logs the verdict.</summary>
    private async Task<AttestedChannel> OpenAsync(Uri address, PolicySet policies, CancellationToken ct)
    {
        var start = Stopwatch.GetTimestamp();
        try
        {
            var channel = await _channels.OpenAsync(address, policies.Policies, ct);
            // The Verifier used the policies that were active when it started.
            if (!IsActive(policies))
            {
                channel.Abort(Codes.PolicyMissing, "The policies changed while the proxy verified the machine.");
                channel.Dispose();
                throw new AttestationException(Codes.PolicyMissing, "The policies changed while the proxy verified the machine.");
            }

            Record(address, channel.Verdict, null);
            MachineAttested(address, channel.Verdict.Outcome, channel.Verdict.Type, policies.Key);
            return channel;
        }
        catch (AttestationException exception)
        {
            Record(address, exception.Verdict, exception);
            MachineRejected(address, exception.Code, policies.Key);
            throw;
        }
        finally
        {
            _duration.Record(Stopwatch.GetElapsedTime(start).TotalSeconds);
        }
    }

    /// <returns>False also if the proxy does not know the active policies.</returns>
    private bool IsActive(PolicySet policies)
    {
        try
        {
            return _configuration.Current.IsActive(policies);
        }
        catch (UnavailableException)
        {
            return false;
        }
    }

    private void Record(Uri address, Verdict? verdict, AttestationException? rejection)
    {
        _verdicts.Add(1,
            new("cube.attestation.outcome", (verdict?.Outcome ?? Outcome.Invalid).ToString()),
            new("cube.attestation.code", rejection?.Code ?? "none"),
            new("cube.attestation.type", verdict?.Type ?? "unknown"));
        if (verdict is not null)
        {
            _verdictStore.Enqueue(address, verdict);
        }
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(_interval, _time);
        var isFirst = true;
        while (isFirst || await WaitAsync())
        {
            isFirst = false;
            try
            {
                await MaintainAsync(stoppingToken);
            }
            catch (Exception exception) when (exception is UnavailableException or InvalidOperationException)
            {
                // The active policies are unknown. New requests receive this error; running requests end with their lease.
                foreach (var pool in _pools.Values.Concat(_closedPools.Keys))
                {
                    pool.RemoveExpired(_time.GetUtcNow(), null);
                }
            }
        }

        foreach (var pool in _pools.Values.Concat(_closedPools.Keys))
        {
            pool.AbortAll(new AttestationException(Codes.AtlsFrame, "The proxy stops."));
        }

        async Task<bool> WaitAsync()
        {
            try
            {
                return await timer.WaitForNextTickAsync(stoppingToken);
            }
            catch (OperationCanceledException)
            {
                return false;
            }
        }
    }

    private async Task MaintainAsync(CancellationToken ct)
    {
        var snapshot = _configuration.Current;
        var now = _time.GetUtcNow();
        var targets = await OpenTargetsAsync(snapshot, now, ct);
        foreach (var (key, pool) in _pools)
        {
            var isTarget = targets.Contains(pool.Address);
            var isActive = isTarget && snapshot.IsActive(pool.Policies);
            var isIdle = pool.Policies.Domain != Guid.Empty && pool.CloseIfIdle(_idleTimeout);
            if (isActive && !isIdle)
            {
                OpenInBackground(pool, now);
            }
            else if (!isTarget && pool.Current is { } orphan)
            {
                // No route uses this address any more. The machine was not rejected, so running requests may continue until the lease expires.
                pool.Retire(orphan.Until);
            }

            else if (isTarget && !isActive)
            {
                // Also a connection that became current while the policies changed.
                pool.Retire(now + _drainTimeout);
            }

            isActive &= !isIdle;
            var successor = isActive ? pool : _pools.GetValueOrDefault((pool.Address, snapshot.PoliciesFor(pool.Policies.Domain, pool.Policies.Route).Key));
            if (!pool.RemoveExpired(now, successor?.Current) && !isActive)
            {
                _pools.TryRemove(new(key, pool));
            }
        }

        foreach (var pool in _closedPools.Keys)
        {
            if (!pool.RemoveExpired(now, null))
            {
                _closedPools.TryRemove(pool, out _);
            }
        }
    }

    /// <summary>Opens a connection to each machine of each route, so that the first request does not wait for Evidence.</summary>
    /// <returns>The addresses of all machines.</returns>
    private async Task<HashSet<Uri>> OpenTargetsAsync(ConfigurationSnapshot snapshot, DateTimeOffset now, CancellationToken ct)
    {
        var targets = new HashSet<Uri>();
        foreach (var route in snapshot.Routes.All)
        {
            foreach (var address in await _serviceAddresses.AddressesAsync(route.Target, ct))
            {
                targets.Add(address);
                if (snapshot.PoliciesFor(Guid.Empty, route.Id) is { IsClosed: false } policies)
                {
                    OpenInBackground(GetPool(address, policies), now);
                }
            }
        }

        return targets;
    }

    /// <summary>Opens a connection if the pool has none that accepts requests, or if its lease is nearly over.</summary>
    private static void OpenInBackground(BackendConnectionPool pool, DateTimeOffset now)
    {
        if (pool.Current is null || pool.IsDueForRenewal(now))
        {
            pool.OpenInBackground();
        }
    }

    /// <summary>Runs immediately after a change: no request may use a connection that was verified under policies that are no longer active.</summary>
    private void ApplyChange()
    {
        var snapshot = _configuration.Current;
        var deadline = _time.GetUtcNow() + _drainTimeout;
        foreach (var pool in _closedPools.Keys.Where(pool => !snapshot.IsActive(pool.Policies)))
        {
            pool.Retire(deadline);
        }

        foreach (var pool in _pools.Values)
        {
            if (!snapshot.IsActive(pool.Policies))
            {
                pool.Retire(deadline);
                if (snapshot.PoliciesFor(pool.Policies.Domain, pool.Policies.Route) is { IsClosed: false } policies)
                {
                    OpenInBackground(GetPool(pool.Address, policies), _time.GetUtcNow());
                }
            }
        }
    }

    private IEnumerable<Measurement<int>> CountConnections() => _pools.Values
        .Select(static pool => (pool.Current, pool.Count))
        .Where(static pool => pool.Current is not null)
        .GroupBy(static pool => pool.Current!.Verdict.Outcome == Outcome.Simulated ? "simulated" : pool.Current.Verdict.Type, static pool => pool.Count)
        .Select(static group => new Measurement<int>(group.Sum(), new KeyValuePair<string, object?>("cube.attestation.type", group.Key)));

    public override void Dispose()
    {
        _configuration.Changed -= ApplyChange;
        base.Dispose();
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "The proxy attested the machine at {Address}: {Outcome}, {Type}, policies {Key}.")]
    private partial void MachineAttested(Uri address, Outcome outcome, string type, string key);

    [LoggerMessage(Level = LogLevel.Warning, Message = "The proxy rejected the machine at {Address}: {Code}, policies {Key}.")]
    private partial void MachineRejected(Uri address, string code, string key);
}
