using Cube.Authorization;
using Cube.Authorization.Relationships;
using Cube.Proxy.Database;
using Cube.ServiceDefaults.Errors;
using Dapper;
using Npgsql;

namespace Cube.Proxy.Configuration;

/// <summary>
/// Deletes the rows of deleted domains from the database of the proxies. The authorization engine has a permanent relationship for each deleted domain, which is the only evidence of a deletion: a
/// domain that is absent from the engine keeps its rows. A notification of Identity only triggers a query of the engine.
/// </summary>
internal sealed partial class DeletedDomainCleanup(ProxyDatabase database, IAuthorizationEngine engine, TimeProvider time, ILogger<DeletedDomainCleanup> logger) : BackgroundService
{
    /// <summary>Prefix of the payload with which Identity announces a deleted domain.</summary>
    public const string NotificationPrefix = "deleted:";
    private static readonly TimeSpan _interval = TimeSpan.FromHours(1);
    private static readonly TimeSpan _retryDelay = TimeSpan.FromMinutes(1);

    /// <summary>Minimum time between two queries of the engine, however many notifications arrive.</summary>
    private static readonly TimeSpan _minInterval = TimeSpan.FromSeconds(1);
    private readonly SemaphoreSlim _trigger = new(0, 1);

    /// <summary>Triggers a cleanup: a domain may have been deleted, or notifications may have been missed.</summary>
    public void Trigger()
    {
        try
        {
            _trigger.Release();
        }
        catch (SemaphoreFullException)
        {
            // A cleanup is already triggered.
        }
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        try
        {
            while (true)
            {
                var next = _interval;
                try
                {
                    await DeleteRowsAsync(stoppingToken);
                }
                catch (Exception exception) when (exception is UnavailableException or NpgsqlException or TimeoutException or HttpRequestException or IOException
                    || (exception is OperationCanceledException && !stoppingToken.IsCancellationRequested))
                {
                    CleanupFailed(exception.GetType().Name);
                    next = _retryDelay;
                }

                await Task.Delay(_minInterval, time, stoppingToken);
                await _trigger.WaitAsync(next, stoppingToken);
            }
        }
        catch (OperationCanceledException)
        {
            // The proxy stops.
        }
    }

    private async Task DeleteRowsAsync(CancellationToken ct)
    {
        var ids = new List<Guid>();
        await foreach (var deleted in engine.ReadAsync(new RelationshipFilter("domain", Relation: CubeSchema.Deleted), ct))
        {
            if (Guid.TryParse(deleted.Resource.Id, out var id))
            {
                ids.Add(id);
            }
        }

        if (ids.Count == 0)
        {
            return;
        }

        await using var connection = await database.Source.OpenConnectionAsync(ct);
        var deletedRows = await connection.ExecuteAsync(new CommandDefinition(
            """
            delete from attestation_policies where scope = any(@scopes);
            delete from model_catalogues where domain = any(@domains);
            delete from attestation_verdicts where policy_id = any(@scopes)
            """,
            new { scopes = ids.Select(static id => id.ToString()).ToArray(), domains = ids.ToArray() }, commandTimeout: 60, cancellationToken: ct));
        if (deletedRows > 0)
        {
            RowsDeleted(deletedRows);
        }
    }

    public override void Dispose()
    {
        _trigger.Dispose();
        base.Dispose();
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "The proxy deleted {Rows} rows of deleted domains.")]
    private partial void RowsDeleted(int rows);

    [LoggerMessage(Level = LogLevel.Warning, Message = "The proxy cannot delete the rows of deleted domains ({Reason}). It retries in a minute.")]
    private partial void CleanupFailed(string reason);
}
