using System.Net.Sockets;
using System.Collections.Concurrent;
using Cube.Attestation;
using Cube.Attestation.Appraisal;
using Cube.Attestation.Evidence;
using Cube.Attestation.Tdx;
using Cube.Proxy.Configuration;
using Npgsql;

namespace Cube.Proxy.Attestation.Collateral;

/// <summary>
/// Provides the vendors' collateral. Concurrent requests for one document share one fetch. The database stores each document for restarts and for the other proxies. The proxy refreshes a
/// document before it expires and never uses an expired one. While a vendor is unavailable, the proxy uses stored and imported documents until they expire; then it rejects the
/// vendor's machines.
/// </summary>
internal sealed partial class CollateralProvider(
    VendorClient vendors, CollateralVerifier verifier, CollateralDocumentStore store, ProxyConfigurationProvider configuration, TimeProvider time, ILogger<CollateralProvider> logger)
    : BackgroundService
{
    private const int MaxLoggedName = 300;
    private static readonly TimeSpan _interval = TimeSpan.FromMinutes(1);

    /// <summary>Delay after a failed fetch before a request that needs the document fetches it again.</summary>
    private static readonly TimeSpan _retryDelay = TimeSpan.FromSeconds(30);

    /// <summary>Delay after a failed fetch before the background refresh fetches again.</summary>
    private static readonly TimeSpan _refreshRetryDelay = TimeSpan.FromMinutes(5);

    private readonly ConcurrentDictionary<string, CachedCollateral> _entries = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, Lazy<Task<byte[]?>>> _fetches = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, long> _failures = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<(string, DateTimeOffset), byte> _rejectedDocuments = new();
    private readonly ConcurrentDictionary<string, int> _evaluationNumbers = new(StringComparer.Ordinal);

    /// <summary>Adds the collateral that the Evidence needs. The proxy's own collateral replaces that of the Evidence, because the Attester chose the latter.</summary>
    public async ValueTask<EvidenceDocument> CompleteAsync(EvidenceDocument evidence, CancellationToken ct)
    {
        var requirements = CollateralRequirements.Of(evidence);
        if (requirements.VcekPath is { } path && await FindAsync(CollateralName.Vcek(path), token => vendors.GetVcekAsync(path, token), ct) is { } vcek)
        {
            evidence = evidence with { Certificates = [vcek] };
        }

        if (requirements.AmdProduct is { } product)
        {
            var name = CollateralName.AmdCrl(product, requirements.IsVlek);
            evidence = evidence with { Crl = await FindAsync(name, token => vendors.GetAmdCrlAsync(product, requirements.IsVlek, token), ct) ?? evidence.Crl };
        }

        if (requirements is { Fmspc: { } fmspc, IntelCa: { } ca })
        {
            var name = CollateralName.Intel(fmspc, ca);
            var stored = await FindAsync(name, token => vendors.GetIntelCollateralAsync(fmspc, ca, token), ct);
            var collateral = (stored is null ? null : TdxCollateralConverter.FromJson(stored)) ?? evidence.Collateral;
            evidence = evidence with { Collateral = collateral is null || IsRollback(fmspc, name, collateral, isVerified: stored is not null) ? null : collateral };
        }

        if (evidence.Token is not null)
        {
            foreach (var issuer in configuration.Current.PlatformSet.Policies.SelectMany(static policy => policy.Policy.Maa?.Issuers ?? []))
            {
                await FindAsync(CollateralName.MaaKeys(issuer), token => vendors.GetMaaKeysAsync(issuer, token), ct);
            }
        }

        return evidence;
    }

    /// <returns>The cached JWKS of a Microsoft Azure Attestation instance; null if it was not fetched or has expired.</returns>
    public byte[]? MaaKeys(string issuer) => FindValid(CollateralName.MaaKeys(issuer));

    /// <returns>Null if there is no valid document and the vendor is unavailable.</returns>
    public ValueTask<byte[]?> FindAsync(string name, Func<CancellationToken, Task<byte[]>> fetch, CancellationToken ct)
    {
        if (_entries.TryGetValue(name, out var entry) && entry.IsValid(time.GetUtcNow()))
        {
            entry.Fetch ??= fetch;
            return new(entry.Document.Content);
        }

        return new(FetchSharedAsync(name, fetch).WaitAsync(ct));
    }

    /// <returns>The valid documents that a vendor has signed, sorted by name. A Cube without access to the vendors can import them.</returns>
    public IReadOnlyList<CollateralDocument> List()
    {
        var now = time.GetUtcNow();
        return
        [
            .. _entries.Where(pair => CollateralName.IsSigned(pair.Key) && pair.Value.IsValid(now))
                .Select(static pair => pair.Value.Document).OrderBy(static document => document.Name, StringComparer.Ordinal),
        ];
    }

    /// <summary>Verifies documents of an administrator as if the vendor had sent them, and stores all of them or none.</summary>
    /// <returns>The first document that fails verification, with the reason; null on success.</returns>
    /// <exception cref="NpgsqlException">The database is unavailable: the other proxies would not receive the documents.</exception>
    public async Task<(string Name, string Error)?> ImportAsync(IReadOnlyCollection<(string Name, byte[] Content)> documents, CancellationToken ct)
    {
        var now = time.GetUtcNow();
        var verified = new List<CollateralDocument>(documents.Count);
        foreach (var (name, content) in documents)
        {
            var (end, error) = verifier.Verify(name, content, now);
            if (error is null && _entries.TryGetValue(name, out var entry) && entry.IsValid(now) && entry.Document.NextUpdate > end)
            {
                error = "The document is older than the stored one: it expires earlier.";
            }

            if (error is not null)
            {
                return (name, error);
            }

            verified.Add(new CollateralDocument(name, content, now, end));
        }

        foreach (var document in verified)
        {
            await store.WriteAsync(document, ct);
            Cache(document);
        }

        return null;
    }

    /// <summary>Reads the stored documents before the proxy accepts requests.</summary>
    public override async Task StartAsync(CancellationToken cancellationToken)
    {
        await ReadAsync(cancellationToken);
        await base.StartAsync(cancellationToken);
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(_interval, time);
        try
        {
            while (await timer.WaitForNextTickAsync(stoppingToken))
            {
                await ReadAsync(stoppingToken);
                var now = time.GetUtcNow();
                foreach (var (name, entry) in _entries.Where(pair => pair.Value.IsDueForRefresh(now) && !HasFailed(pair.Key, _refreshRetryDelay)))
                {
                    if (entry.Fetch is { } fetch)
                    {
                        await FetchSharedAsync(name, fetch).WaitAsync(stoppingToken);
                    }
                }
            }
        }
        catch (OperationCanceledException)
        {
            // The proxy stops.
        }
    }

    /// <summary>Reads the documents that other proxies have fetched or imported.</summary>
    private async Task ReadAsync(CancellationToken ct)
    {
        try
        {
            foreach (var document in await store.ReadAsync(ct))
            {
                if (_entries.TryGetValue(document.Name, out var entry) && entry.Document.FetchedAt >= document.FetchedAt)
                {
                    continue;
                }

                // The proxy does not trust the database: it verifies a stored document like a received one.
                if (!CollateralName.IsSigned(document.Name) || verifier.Verify(document.Name, document.Content, time.GetUtcNow()).Error is null)
                {
                    Cache(document);
                }
                else if (_rejectedDocuments.TryAdd((document.Name, document.FetchedAt), 0))
                {
                    StoredDocumentRejected(document.Name.Length <= MaxLoggedName ? document.Name : "a document with a long name");
                }
            }
        }
        catch (Exception exception) when (exception is NpgsqlException or TimeoutException or SocketException)
        {
            ReadFailed(exception.GetType().Name);
        }
    }

    private void Cache(CollateralDocument document, Func<CancellationToken, Task<byte[]>>? fetch = null)
    {
        var hasChanged = false;
        _entries.AddOrUpdate(document.Name, _ => new CachedCollateral(document) { Fetch = fetch }, (_, old) =>
        {
            hasChanged = !old.Document.Content.AsSpan().SequenceEqual(document.Content);
            return new CachedCollateral(document) { Fetch = fetch ?? old.Fetch };
        });
        _failures.TryRemove(document.Name, out _);
        if (hasChanged && CollateralName.IsSigned(document.Name))
        {
            // A new revocation list may revoke a machine in use.
            CollateralChanged(document.Name);
            configuration.Reverify();
        }
    }

    private Task<byte[]?> FetchSharedAsync(string name, Func<CancellationToken, Task<byte[]>> fetch)
    {
        if (HasFailed(name, _retryDelay))
        {
            return Task.FromResult(FindValid(name));
        }

        return _fetches.GetOrAdd(name, _ => new Lazy<Task<byte[]?>>(() => FetchAsync(name, fetch))).Value;
    }

    private bool HasFailed(string name, TimeSpan within) => _failures.TryGetValue(name, out var failedAt) && time.GetElapsedTime(failedAt) < within;

    private async Task<byte[]?> FetchAsync(string name, Func<CancellationToken, Task<byte[]>> fetch)
    {
        // Several requests wait for this task: the cancellation of one request must not cancel it.
        await Task.Yield();
        try
        {
            var content = await fetch(CancellationToken.None);
            var now = time.GetUtcNow();
            var (end, error) = CollateralName.IsSigned(name) ? verifier.Verify(name, content, now) : new(null, null);
            if (error is not null)
            {
                throw new VendorException(error);
            }

            var document = new CollateralDocument(name, content, now, end);
            Cache(document, fetch);
            await WriteAsync(document);
            return content;
        }
        catch (VendorException exception)
        {
            _failures[name] = time.GetTimestamp();
            var stored = FindValid(name);
            FetchFailed(name, exception.Message, stored is null ? "The proxy rejects the vendor's machines." : $"The proxy uses the stored document until {_entries[name].ExpiresAt:u}.");
            return stored;
        }
        finally
        {
            _fetches.TryRemove(name, out _);
        }
    }

    private byte[]? FindValid(string name) => _entries.TryGetValue(name, out var entry) && entry.IsValid(time.GetUtcNow()) ? entry.Document.Content : null;

    private async Task WriteAsync(CollateralDocument document)
    {
        try
        {
            await store.WriteAsync(document, CancellationToken.None);
        }
        catch (Exception exception) when (exception is NpgsqlException or TimeoutException or SocketException)
        {
            WriteFailed(document.Name, exception.GetType().Name);
        }
    }

    /// <summary>
    /// True if the proxy has seen collateral with a higher TCB evaluation data number for this FMSPC. Intel never decreases this number: a replayed older document that is
    /// still valid would hide a TCB recovery.
    /// </summary>
    /// <param name="isVerified">False for collateral of the Evidence, which the Attester may have forged: its number counts only if Intel signed it.</param>
    private bool IsRollback(string fmspc, string name, TdxCollateral collateral, bool isVerified)
    {
        if (CollateralRequirements.EvaluationNumberOf(collateral) is not { } number
            || (!isVerified && verifier.Verify(name, TdxCollateralConverter.ToJson(collateral), time.GetUtcNow()).Error is not null))
        {
            return false;
        }

        return _evaluationNumbers.AddOrUpdate(fmspc, number, (_, highest) => Math.Max(highest, number)) > number;
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "The collateral {Name} has changed. The proxy verifies every machine again.")]
    private partial void CollateralChanged(string name);

    [LoggerMessage(Level = LogLevel.Warning, Message = "The proxy cannot fetch the collateral {Name}: {Reason} {Consequence}")]
    private partial void FetchFailed(string name, string reason, string consequence);

    [LoggerMessage(Level = LogLevel.Warning, Message = "The proxy does not use the stored collateral {Name}: it has expired, or its signature is not valid.")]
    private partial void StoredDocumentRejected(string name);

    [LoggerMessage(Level = LogLevel.Error, Message = "The proxy cannot read the stored collateral: {Reason}")]
    private partial void ReadFailed(string reason);

    [LoggerMessage(Level = LogLevel.Error, Message = "The proxy cannot store the collateral {Name}: {Reason}")]
    private partial void WriteFailed(string name, string reason);
}
