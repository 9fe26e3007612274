using Cube.Authorization;
using Cube.Authorization.Relationships;
using Cube.Proxy.Database;
using Cube.ServiceDefaults.Errors;
using Dapper;
using Npgsql;

namespace Cube.Proxy.Configuration;

/// <summary>
/// Removes what the proxies store for domains that were deleted. The authorization engine says of each such domain that it was deleted, for good; a notice of Identity's only says when to ask. Nothing is
/// removed because something is absent from the engine.
/// </summary>
internal sealed partial class DeletedDomainCleanup(ProxyDatabase database, IAuthorizationEngine engine, TimeProvider time, ILogger<DeletedDomainCleanup> logger) : BackgroundService
{
    public const string NoticePrefix = "deleted:";
    private static readonly TimeSpan _interval = TimeSpan.FromHours(1);
    private static readonly TimeSpan _retry = TimeSpan.FromMinutes(1);

    /// <summary>Many notices in a moment are one question, and no notice makes the engine be asked more often.</summary>
    private static readonly TimeSpan _pause = TimeSpan.FromSeconds(1);
    private readonly SemaphoreSlim _wake = new(0, 1);

    /// <summary>A domain may have been deleted, or notices may have been missed.</summary>
    public void Wake()
    {
        try
        {
            _wake.Release();
        }
        catch (SemaphoreFullException)
        {
            // It is awake already.
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
                    await SweepAsync(stoppingToken);
                }
                catch (Exception exception) when (exception is UnavailableException or NpgsqlException or TimeoutException or HttpRequestException or IOException
                    || (exception is OperationCanceledException && !stoppingToken.IsCancellationRequested))
                {
                    NotRemoved(exception.GetType().Name);
                    next = _retry;
                }

                await Task.Delay(_pause, time, stoppingToken);
                await _wake.WaitAsync(next, stoppingToken);
            }
        }
        catch (OperationCanceledException)
        {
            // The proxy stops.
        }
    }

    private async Task SweepAsync(CancellationToken ct)
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
        var removed = await connection.ExecuteAsync(new CommandDefinition(
            """
            delete from attestation_policies where scope = any(@scopes);
            delete from model_catalogues where domain = any(@domains);
            delete from attestation_verdicts where policy_id = any(@scopes)
            """,
            new { scopes = ids.Select(static id => id.ToString()).ToArray(), domains = ids.ToArray() }, commandTimeout: 60, cancellationToken: ct));
        if (removed > 0)
        {
            Removed(removed);
        }
    }

    public override void Dispose()
    {
        _wake.Dispose();
        base.Dispose();
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "{Rows} rows of deleted domains were removed")]
    private partial void Removed(int rows);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Rows of deleted domains cannot be removed now ({Reason}); the proxy tries again in a minute")]
    private partial void NotRemoved(string reason);
}
