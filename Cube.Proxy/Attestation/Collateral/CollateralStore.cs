using System.Collections.Concurrent;
using Cube.Attestation;
using Cube.Attestation.Appraisal;
using Cube.Attestation.Evidence;
using Cube.Attestation.Tdx;
using Cube.Proxy.Configuration;
using Npgsql;

namespace Cube.Proxy.Attestation.Collateral;

/// <summary>
/// What the vendors say of machines: fetched once, whoever else asks meanwhile, kept in the database over restarts and for the other proxies,
/// refreshed long before it ends, and never used longer. While a vendor is away, what is kept or was handed over by an administrator counts
/// until its own end; then its machines are refused.
/// </summary>
internal sealed partial class CollateralStore(
    VendorClient vendors, CollateralVerifier verifier, CollateralTable table, ProxyConfigurationProvider policies, TimeProvider time, ILogger<CollateralStore> logger) : BackgroundService
{
    /// <summary>What has no end of its own is asked for again after a day.</summary>
    private static readonly TimeSpan _day = TimeSpan.FromDays(1);
    private static readonly TimeSpan _beat = TimeSpan.FromMinutes(1);

    /// <summary>Who did not answer is asked again after this, by one request that has nothing else.</summary>
    private static readonly TimeSpan _pause = TimeSpan.FromSeconds(30);

    /// <summary>And after this, while what is kept counts.</summary>
    private static readonly TimeSpan _patience = TimeSpan.FromMinutes(5);

    private readonly ConcurrentDictionary<string, Entry> _entries = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, Lazy<Task<byte[]?>>> _flights = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, long> _failures = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<(string, DateTimeOffset), byte> _unreadable = new();
    private readonly ConcurrentDictionary<string, int> _evaluations = new(StringComparer.Ordinal);

    /// <summary>Adds what the evidence needs and does not bring. One's own collateral goes before that of the evidence, which its sender has chosen.</summary>
    public async ValueTask<EvidenceDocument> CompleteAsync(EvidenceDocument evidence, CancellationToken ct)
    {
        var needs = CollateralRequirements.Of(evidence);
        if (needs.VcekPath is { } path && await FindAsync(CollateralName.Vcek(path), token => vendors.VcekAsync(path, token), ct) is { } vcek)
        {
            evidence = evidence with { Certificates = [vcek] };
        }

        if (needs.AmdProduct is { } product)
        {
            var name = CollateralName.AmdCrl(product, needs.IsVlek);
            evidence = evidence with { Crl = await FindAsync(name, token => vendors.AmdCrlAsync(product, needs.IsVlek, token), ct) ?? evidence.Crl };
        }

        if (needs is { Fmspc: { } fmspc, IntelCa: { } ca })
        {
            var name = CollateralName.Intel(fmspc, ca);
            var kept = await FindAsync(name, token => vendors.IntelAsync(fmspc, ca, token), ct);
            var collateral = (kept is null ? null : TdxCollateralConverter.FromJson(kept)) ?? evidence.Collateral;
            evidence = evidence with { Collateral = collateral is null || IsOlderThanSeen(fmspc, name, collateral, isVerified: kept is not null) ? null : collateral };
        }

        if (evidence.Token is not null)
        {
            foreach (var issuer in policies.Current.PlatformSet.Policies.SelectMany(static policy => policy.Policy.Maa?.Issuers ?? []))
            {
                await FindAsync(CollateralName.MaaKeys(issuer), token => vendors.MaaKeysAsync(issuer, token), ct);
            }
        }

        return evidence;
    }

    /// <summary>The keys of an instance of Microsoft Azure Attestation, as far as they were fetched.</summary>
    public byte[]? MaaKeys(string issuer) => Counting(CollateralName.MaaKeys(issuer));

    /// <returns>Null where it is not there and its vendor is away.</returns>
    public ValueTask<byte[]?> FindAsync(string name, Func<CancellationToken, Task<byte[]>> fetch, CancellationToken ct)
    {
        if (_entries.TryGetValue(name, out var entry) && entry.Counts(time.GetUtcNow()))
        {
            entry.Fetch ??= fetch;
            return new(entry.Kept.Content);
        }

        return new(FlyAsync(name, fetch).WaitAsync(ct));
    }

    /// <summary>What counts now and is signed, to be handed to a Cube that reaches no vendor.</summary>
    public IReadOnlyList<KeptCollateral> List()
    {
        var now = time.GetUtcNow();
        return [.. _entries.Where(pair => CollateralName.IsSigned(pair.Key) && pair.Value.Counts(now)).Select(static pair => pair.Value.Kept).OrderBy(static kept => kept.Name, StringComparer.Ordinal)];
    }

    /// <summary>Takes documents from an administrator, as if their vendors had answered with them: all, or none.</summary>
    /// <returns>The first that is refused, and why; or null.</returns>
    /// <exception cref="NpgsqlException">The database does not answer: the other proxies would not have them.</exception>
    public async Task<(string Name, string Fault)?> ImportAsync(IReadOnlyCollection<(string Name, byte[] Content)> documents, CancellationToken ct)
    {
        var now = time.GetUtcNow();
        var judged = new List<KeptCollateral>(documents.Count);
        foreach (var (name, content) in documents)
        {
            var (end, fault) = verifier.Verify(name, content, now);
            if (fault is null && _entries.TryGetValue(name, out var old) && old.Counts(now) && old.Kept.NextUpdate > end)
            {
                fault = "It ends before the one that is kept, so that it is older.";
            }

            if (fault is not null)
            {
                return (name, fault);
            }

            judged.Add(new KeptCollateral(name, content, now, end));
        }

        foreach (var kept in judged)
        {
            await table.WriteAsync(kept, ct);
            Adopt(kept);
        }

        return null;
    }

    /// <summary>Reads what is kept, so that a restart needs no vendor.</summary>
    public override async Task StartAsync(CancellationToken cancellationToken)
    {
        await ReadAsync(cancellationToken);
        await base.StartAsync(cancellationToken);
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var beat = new PeriodicTimer(_beat, time);
        try
        {
            while (await beat.WaitForNextTickAsync(stoppingToken))
            {
                await ReadAsync(stoppingToken);
                var now = time.GetUtcNow();
                foreach (var (name, entry) in _entries.Where(pair => pair.Value.IsDue(now) && !HasFailed(pair.Key, _patience)))
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

    /// <summary>What other proxies have fetched since, or were handed.</summary>
    private async Task ReadAsync(CancellationToken ct)
    {
        try
        {
            foreach (var kept in await table.ReadAsync(ct))
            {
                if (_entries.TryGetValue(kept.Name, out var entry) && entry.Kept.FetchedAt >= kept.FetchedAt)
                {
                    continue;
                }

                // What is stored is judged as if it had been sent.
                if (!CollateralName.IsSigned(kept.Name) || verifier.Verify(kept.Name, kept.Content, time.GetUtcNow()).Error is null)
                {
                    Adopt(kept);
                }
                else if (_unreadable.TryAdd((kept.Name, kept.FetchedAt), 0))
                {
                    NotTaken(kept.Name.Length <= 300 ? kept.Name : "a document with a long name");
                }
            }
        }
        catch (Exception exception) when (exception is NpgsqlException or TimeoutException)
        {
            NotKept("all", exception.GetType().Name);
        }
    }

    private void Adopt(KeptCollateral kept, Func<CancellationToken, Task<byte[]>>? fetch = null)
    {
        var isNews = false;
        _entries.AddOrUpdate(kept.Name, _ => new Entry(kept) { Fetch = fetch }, (_, old) =>
        {
            isNews = !old.Kept.Content.AsSpan().SequenceEqual(kept.Content);
            return new Entry(kept) { Fetch = fetch ?? old.Fetch };
        });
        _failures.TryRemove(kept.Name, out _);
        if (isNews && CollateralName.IsSigned(kept.Name))
        {
            // A list may revoke what runs now: everything is verified anew.
            News(kept.Name);
            policies.Reverify();
        }
    }

    private Task<byte[]?> FlyAsync(string name, Func<CancellationToken, Task<byte[]>> fetch)
    {
        if (HasFailed(name, _pause))
        {
            return Task.FromResult(Counting(name));
        }

        return _flights.GetOrAdd(name, _ => new Lazy<Task<byte[]?>>(() => FetchAsync(name, fetch))).Value;
    }

    private bool HasFailed(string name, TimeSpan within) => _failures.TryGetValue(name, out var failedAt) && time.GetElapsedTime(failedAt) < within;

    private async Task<byte[]?> FetchAsync(string name, Func<CancellationToken, Task<byte[]>> fetch)
    {
        // Nobody's own request: its cancellation must not be everybody's.
        await Task.Yield();
        try
        {
            var content = await fetch(CancellationToken.None);
            var now = time.GetUtcNow();
            var (end, fault) = CollateralName.IsSigned(name) ? verifier.Verify(name, content, now) : new(null, null);
            if (fault is not null)
            {
                throw new VendorException(fault);
            }

            var kept = new KeptCollateral(name, content, now, end);
            Adopt(kept, fetch);
            await KeepAsync(kept);
            return content;
        }
        catch (VendorException exception)
        {
            _failures[name] = time.GetTimestamp();
            var kept = Counting(name);
            Away(name, exception.Message, kept is null ? "nothing is kept, and its machines are refused" : $"what is kept counts until {_entries[name].EndsAt:u}");
            return kept;
        }
        finally
        {
            _flights.TryRemove(name, out _);
        }
    }

    private byte[]? Counting(string name) => _entries.TryGetValue(name, out var entry) && entry.Counts(time.GetUtcNow()) ? entry.Kept.Content : null;

    private async Task KeepAsync(KeptCollateral kept)
    {
        try
        {
            await table.WriteAsync(kept, CancellationToken.None);
        }
        catch (Exception exception) when (exception is NpgsqlException or TimeoutException)
        {
            NotKept(kept.Name, exception.GetType().Name);
        }
    }

    /// <summary>Intel's count of recoveries never goes back: an older document that still counts would hide the newer one.</summary>
    /// <param name="isVerified">False for what came with evidence: its sender may have made it up, and the number counts only where Intel signed it.</param>
    private bool IsOlderThanSeen(string fmspc, string name, TdxCollateral collateral, bool isVerified)
    {
        if (CollateralRequirements.EvaluationNumberOf(collateral) is not { } number
            || (!isVerified && verifier.Verify(name, TdxCollateralConverter.ToJson(collateral), time.GetUtcNow()).Error is not null))
        {
            return false;
        }

        return _evaluations.AddOrUpdate(fmspc, number, (_, seen) => Math.Max(seen, number)) > number;
    }

    private sealed record Entry(KeptCollateral Kept)
    {
        public Func<CancellationToken, Task<byte[]>>? Fetch { get; set; }

        public DateTimeOffset EndsAt => Kept.NextUpdate ?? Kept.FetchedAt + (7 * _day);

        public bool Counts(DateTimeOffset now) => now < EndsAt;

        /// <summary>A day old, or half of its time over.</summary>
        public bool IsDue(DateTimeOffset now) => !CollateralName.IsFinal(Kept.Name)
            && (now >= Kept.FetchedAt + _day || (Kept.NextUpdate is { } end && now >= Kept.FetchedAt + ((end - Kept.FetchedAt) / 2)));
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "{Name} has changed: every machine is verified anew")]
    private partial void News(string name);

    [LoggerMessage(Level = LogLevel.Warning, Message = "{Name} cannot be fetched: {Reason} For now, {Kept}")]
    private partial void Away(string name, string reason, string kept);

    [LoggerMessage(Level = LogLevel.Warning, Message = "The stored {Name} is not used: it has ended, or its vendor did not sign it")]
    private partial void NotTaken(string name);

    [LoggerMessage(Level = LogLevel.Error, Message = "Collateral {Name} cannot be read or kept: {Reason}")]
    private partial void NotKept(string name, string reason);
}
