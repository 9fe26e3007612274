using System.Globalization;
using Cube.Authorization;
using Cube.Authorization.Relationships;
using Cube.ServiceDefaults.Errors;
using Dapper;
using Npgsql;

namespace Cube.Identity.Synchronization;

/// <summary>
/// Delivers the rows of the table <c>outbox</c> to the authorization engine in order, then invalidates the proxies' caches. Rows are deleted
/// after the engine has accepted them and the notices are sent, so a row can be delivered twice; delivery is idempotent. Notices that cannot be sent are replaced by one that invalidates everything, which is retried.
/// </summary>
internal sealed partial class Outbox(NpgsqlDataSource database, IAuthorizationEngine engine, CacheInvalidationPublisher publisher, TimeProvider time, ILogger<Outbox> logger)
{
    /// <summary>The advisory lock that serializes delivery among replicas.</summary>
    public const long Lock = 0x43756265_00000003;

    private const int Batch = 500;
    private static readonly TimeSpan _maxDelivery = TimeSpan.FromSeconds(1);

    private volatile bool _isStalled;

    /// <summary>Whether the last delivery failed.</summary>
    public bool IsStalled => _isStalled;

    /// <returns>False if notices could not be sent.</returns>
    /// <exception cref="UnavailableException">The engine does not accept the changes. The background service retries every second.</exception>
    public async Task<bool> DeliverAsync(CancellationToken ct)
    {
        try
        {
            var isNotified = true;
            for (var count = Batch; count == Batch;)
            {
                (count, var isBatchNotified) = await DeliverBatchAsync(ct);
                isNotified &= isBatchNotified;
            }

            _isStalled = false;
            return isNotified;
        }
        catch (UnavailableException exception)
        {
            if (!_isStalled)
            {
                Stalled(exception);
            }

            _isStalled = true;
            throw;
        }
    }

    private async Task<(int Count, bool IsNotified)> DeliverBatchAsync(CancellationToken ct)
    {
        await using var connection = await database.OpenConnectionAsync(ct);
        await using var transaction = await connection.BeginTransactionAsync(ct);
        await connection.ExecuteAsync(new CommandDefinition("select pg_advisory_xact_lock(@Lock)", new { Lock }, cancellationToken: ct));
        var rows = (await connection.QueryAsync<Row>(new CommandDefinition(
            """
            select id, operation, (relation).object_type, (relation).object_id, (relation).relation,
                   (relation).subject_type, (relation).subject_id, (relation).subject_relation, notice
            from outbox order by id limit @Batch
            """,
            new { Batch },
            cancellationToken: ct))).AsList();
        if (rows.Count == 0)
        {
            return (0, true);
        }

        // One write may contain each relationship once, so only the last operation on it is sent.
        var updates = new Dictionary<Relationship, UpdateOperation>();
        foreach (var row in rows.Where(static row => row.Operation is not null))
        {
            updates[row.ToRelationship()] = row.Operation == "touch" ? UpdateOperation.Touch : UpdateOperation.Delete;
        }

        if (updates.Count > 0)
        {
            await engine.WriteAsync([.. updates.Select(static pair => new RelationshipUpdate(pair.Value, pair.Key))], ct);
        }

        await connection.ExecuteAsync("delete from outbox where id = any(@ids)", new { ids = rows.Select(static row => row.Id).ToArray() });
        var isNotified = await NotifyAsync([.. rows.Select(static row => row.Notice).OfType<string>().Distinct()], connection);
        await transaction.CommitAsync(ct);
        return (rows.Count, isNotified);
    }

    /// <summary>
    /// Delivers everything and then confirms to the proxies that all notices have been sent. The confirmation is omitted if the delivery took a second or longer, or if notices could not be sent.
    /// </summary>
    /// <exception cref="UnavailableException">The engine does not answer.</exception>
    public async Task ConfirmAsync(CancellationToken ct)
    {
        var start = time.GetTimestamp();
        var isNotified = await DeliverAsync(ct);
        // A decision must not stay cached while the engine cannot be asked.
        await engine.ReadSchemaAsync(ct);
        if (isNotified && time.GetElapsedTime(start) < _maxDelivery)
        {
            await publisher.NotifyAsync([CacheInvalidation.Confirmed]);
        }
    }

    /// <summary>Makes the engine's relationships equal to the view <c>relations</c>, for example after a restore, a change of the engine, or data loss in the engine.</summary>
    /// <exception cref="UnavailableException">The engine does not answer.</exception>
    public async Task ReconcileAsync(CancellationToken ct)
    {
        await using var connection = await database.OpenConnectionAsync(ct);
        await using var transaction = await connection.BeginTransactionAsync(ct);
        await connection.ExecuteAsync(new CommandDefinition("select pg_advisory_xact_lock(@Lock)", new { Lock }, cancellationToken: ct));
        var expected = (await connection.QueryAsync<Row>("select * from relations")).Select(static row => row.ToRelationship()).ToHashSet();
        var actual = new HashSet<Relationship>();
        foreach (var type in CubeSchema.Schema.Definitions.Keys)
        {
            await foreach (var relationship in engine.ReadAsync(new RelationshipFilter(type), ct))
            {
                actual.Add(relationship);
            }
        }

        RelationshipUpdate[] difference =
        [
            .. actual.Except(expected).Select(static tuple => new RelationshipUpdate(UpdateOperation.Delete, tuple)),
            .. expected.Except(actual).Select(static tuple => new RelationshipUpdate(UpdateOperation.Touch, tuple)),
        ];
        foreach (var batch in difference.Chunk(Batch))
        {
            await engine.WriteAsync(batch, ct);
        }

        if (difference.Length > 0)
        {
            Reconciled(difference.Length.ToString(CultureInfo.InvariantCulture), expected.Count);
        }

        // Also without a difference: the schema can have changed, and an earlier write whose response was lost can have been applied.
        await NotifyAsync([CacheInvalidation.Everything], connection);
        await transaction.CommitAsync(ct);
    }

    /// <summary>Sends notices, or stores one that invalidates everything, to be sent later.</summary>
    private async Task<bool> NotifyAsync(string[] notices, NpgsqlConnection connection)
    {
        if (await publisher.NotifyAsync(notices))
        {
            return true;
        }

        await connection.ExecuteAsync("insert into outbox (notice) select @Everything where not exists (select from outbox where notice = @Everything)", new { CacheInvalidation.Everything });
        return false;
    }

    [LoggerMessage(Level = LogLevel.Error, Message = "The authorization engine does not accept changes. They stay in the outbox and are retried")]
    private partial void Stalled(Exception exception);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Corrected {Count} relationships in the authorization engine that differed from the tables ({Total} in the tables)")]
    private partial void Reconciled(string count, int total);

    private sealed class Row
    {
        public long Id { get; init; }
        public string? Operation { get; init; }
        public string ObjectType { get; init; } = "";
        public string ObjectId { get; init; } = "";
        public string Relation { get; init; } = "";
        public string SubjectType { get; init; } = "";
        public string SubjectId { get; init; } = "";
        public string SubjectRelation { get; init; } = "";
        public string? Notice { get; init; }

        public Relationship ToRelationship() =>
            new(new ObjectRef(ObjectType, ObjectId), Relation, new SubjectRef(new ObjectRef(SubjectType, SubjectId), SubjectRelation));
    }
}
