using System.Collections.Concurrent;
using Cube.Attestation;
using Cube.Attestation.Evidence;
using Cube.Attestation.Tdx;
using Cube.Proxy.Attestation.Policies;
using Cube.Proxy.Database;
using Dapper;
using Npgsql;

namespace Cube.Proxy.Attestation.Collaterals;

/// <summary>
/// What the vendors say of machines: fetched once, whoever else asks meanwhile, kept in the database over restarts, refreshed long before
/// it ends, and never used longer. While a vendor is away, what is kept counts until its own end; then its machines are refused.
/// </summary>
internal sealed partial class CollateralStore(
    Vendors vendors, ProxyDatabase database, PoliciesInForce policies, TimeProvider time, ILogger<CollateralStore> logger) : BackgroundService
{
    /// <summary>What has no end of its own is asked for again after a day.</summary>
    private static readonly TimeSpan _day = TimeSpan.FromDays(1);
    private static readonly TimeSpan _beat = TimeSpan.FromMinutes(5);

    /// <summary>Who did not answer is asked again after this, by one request.</summary>
    private static readonly TimeSpan _pause = TimeSpan.FromSeconds(30);

    private readonly ConcurrentDictionary<string, Entry> _entries = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, Lazy<Task<byte[]?>>> _flights = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, long> _failures = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, int> _evaluations = new(StringComparer.Ordinal);

    /// <summary>Adds what the evidence needs and does not bring. One's own collateral goes before that of the evidence, which its sender has chosen.</summary>
    public async ValueTask<EvidenceDocument> CompleteAsync(EvidenceDocument evidence, CancellationToken ct)
    {
        var needs = CollateralNeeds.Of(evidence);
        if (needs.VcekPath is { } path && await FindAsync($"amd-vcek{path}", token => vendors.VcekAsync(path, token), ct) is { } vcek)
        {
            evidence = evidence with { Certificates = [vcek] };
        }

        if (needs.AmdProduct is { } product)
        {
            var name = $"amd-crl/{(needs.IsVlek ? "vlek" : "vcek")}/{product}";
            evidence = evidence with { Crl = await FindAsync(name, token => vendors.AmdCrlAsync(product, needs.IsVlek, token), ct) ?? evidence.Crl };
        }

        if (needs is { Fmspc: { } fmspc, IntelCa: { } ca })
        {
            var kept = await FindAsync($"intel/{fmspc}/{ca}", token => vendors.IntelAsync(fmspc, ca, token), ct);
            var collateral = (kept is null ? null : TdxCollateralParts.FromJson(kept)) ?? evidence.Collateral;
            evidence = evidence with { Collateral = collateral is null || IsOlderThanSeen(fmspc, collateral) ? null : collateral };
        }

        if (evidence.Token is not null)
        {
            foreach (var issuer in policies.Current.PlatformSet.Policies.SelectMany(static policy => policy.Policy.Maa?.Issuers ?? []))
            {
                await FindAsync($"maa/{issuer}", token => vendors.MaaKeysAsync(issuer, token), ct);
            }
        }

        return evidence;
    }

    /// <summary>The keys of an instance of Microsoft Azure Attestation, as far as they were fetched.</summary>
    public byte[]? MaaKeys(string issuer) => _entries.TryGetValue($"maa/{issuer}", out var entry) && entry.Counts(time.GetUtcNow()) ? entry.Content : null;

    /// <returns>Null where it is not there and its vendor is away.</returns>
    public ValueTask<byte[]?> FindAsync(string name, Func<CancellationToken, Task<VendorDocument>> fetch, CancellationToken ct)
    {
        if (_entries.TryGetValue(name, out var entry) && entry.Counts(time.GetUtcNow()))
        {
            entry.Fetch ??= fetch;
            return new(entry.Content);
        }

        return new(FlyAsync(name, fetch).WaitAsync(ct));
    }

    /// <summary>Reads what is kept, so that a restart needs no vendor.</summary>
    public override async Task StartAsync(CancellationToken cancellationToken)
    {
        try
        {
            await using var connection = await database.Source.OpenConnectionAsync(cancellationToken);
            foreach (var row in await connection.QueryAsync<Row>(new CommandDefinition("select name, content, fetched_at, next_update from attestation_collateral", cancellationToken: cancellationToken)))
            {
                _entries[row.Name] = new Entry(row.Content, new DateTimeOffset(DateTime.SpecifyKind(row.FetchedAt, DateTimeKind.Utc)), row.NextUpdate is { } end ? new DateTimeOffset(DateTime.SpecifyKind(end, DateTimeKind.Utc)) : null);
            }
        }
        catch (NpgsqlException exception)
        {
            NotKept("all", exception.GetType().Name);
        }

        await base.StartAsync(cancellationToken);
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var beat = new PeriodicTimer(_beat, time);
        try
        {
            while (await beat.WaitForNextTickAsync(stoppingToken))
            {
                var now = time.GetUtcNow();
                foreach (var (name, entry) in _entries.Where(pair => pair.Value.IsDue(now)))
                {
                    if (entry.Fetch is { } fetch)
                    {
                        await FlyAsync(name, fetch).WaitAsync(stoppingToken);
                    }
                }
            }
        }
        catch (OperationCanceledException)
        {
            // The proxy stops.
        }
    }

    private Task<byte[]?> FlyAsync(string name, Func<CancellationToken, Task<VendorDocument>> fetch)
    {
        if (_failures.TryGetValue(name, out var failedAt) && time.GetElapsedTime(failedAt) < _pause)
        {
            return Task.FromResult(_entries.TryGetValue(name, out var kept) && kept.Counts(time.GetUtcNow()) ? kept.Content : null);
        }

        return _flights.GetOrAdd(name, _ => new Lazy<Task<byte[]?>>(() => FetchAsync(name, fetch))).Value;
    }

    private async Task<byte[]?> FetchAsync(string name, Func<CancellationToken, Task<VendorDocument>> fetch)
    {
        // Nobody's own request: its cancellation must not be everybody's.
        await Task.Yield();
        try
        {
            var document = await fetch(CancellationToken.None);
            var entry = new Entry(document.Content, time.GetUtcNow(), document.NextUpdate) { Fetch = fetch };
            var isNews = _entries.TryGetValue(name, out var old) && !old.Content.AsSpan().SequenceEqual(document.Content);
            _entries[name] = entry;
            _failures.TryRemove(name, out _);
            await KeepAsync(name, entry);
            if (isNews && !name.StartsWith("maa/", StringComparison.Ordinal))
            {
                // A list may revoke what runs now: everything is verified anew.
                News(name);
                policies.Renew();
            }

            return document.Content;
        }
        catch (VendorException exception)
        {
            _failures[name] = time.GetTimestamp();
            Away(name, exception.Message);
            return _entries.TryGetValue(name, out var kept) && kept.Counts(time.GetUtcNow()) ? kept.Content : null;
        }
        finally
        {
            _flights.TryRemove(name, out _);
        }
    }

    private async Task KeepAsync(string name, Entry entry)
    {
        try
        {
            await using var connection = await database.Source.OpenConnectionAsync();
            await connection.ExecuteAsync(
                """
                insert into attestation_collateral (name, content, fetched_at, next_update) values (@name, @Content, @fetched, @next)
                on conflict (name) do update set content = excluded.content, fetched_at = excluded.fetched_at, next_update = excluded.next_update
                """,
                new { name, entry.Content, fetched = entry.FetchedAt.UtcDateTime, next = entry.NextUpdate?.UtcDateTime });
        }
        catch (Exception exception) when (exception is NpgsqlException or TimeoutException)
        {
            NotKept(name, exception.GetType().Name);
        }
    }

    /// <summary>Intel's count of recoveries never goes back: an older document that still counts would hide the newer one.</summary>
    private bool IsOlderThanSeen(string fmspc, TdxCollateral collateral)
    {
        if (CollateralNeeds.EvaluationNumberOf(collateral) is not { } number)
        {
            return false;
        }

        return _evaluations.AddOrUpdate(fmspc, number, (_, seen) => Math.Max(seen, number)) > number;
    }

    private sealed record Row
    {
        public required string Name { get; init; }
        public required byte[] Content { get; init; }
        public required DateTime FetchedAt { get; init; }
        public DateTime? NextUpdate { get; init; }
    }

    private sealed record Entry(byte[] Content, DateTimeOffset FetchedAt, DateTimeOffset? NextUpdate)
    {
        public Func<CancellationToken, Task<VendorDocument>>? Fetch { get; set; }

        public bool Counts(DateTimeOffset now) => now < (NextUpdate ?? FetchedAt + (7 * _day));

        /// <summary>A day old, or half of its time over.</summary>
        public bool IsDue(DateTimeOffset now) => now >= FetchedAt + _day || (NextUpdate is { } end && now >= FetchedAt + ((end - FetchedAt) / 2));
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "{Name} has changed: every machine is verified anew")]
    private partial void News(string name);

    [LoggerMessage(Level = LogLevel.Warning, Message = "{Name} cannot be fetched: {Reason} What is kept counts until its own end")]
    private partial void Away(string name, string reason);

    [LoggerMessage(Level = LogLevel.Error, Message = "Collateral {Name} cannot be read or kept: {Reason}")]
    private partial void NotKept(string name, string reason);
}
