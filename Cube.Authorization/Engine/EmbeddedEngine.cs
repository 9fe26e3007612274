using System.Data;
using System.Runtime.CompilerServices;
using Cube.Authorization.Relationships;
using Cube.Authorization.Schema;
using Cube.Authorization.SpiceDb;
using Dapper;
using Npgsql;

namespace Cube.Authorization.Engine;

/// <summary>
/// Evaluates the schema over relationships in PostgreSQL, in place of SpiceDB. The checks of one call use one snapshot of the newest
/// state. Writes are validated against the schema by SpiceDB's rules.
/// </summary>
internal sealed class EmbeddedEngine(NpgsqlDataSource database, short store) : IAuthorizationEngine
{
    private const string Match =
        """
        store = @store and (@ResourceType is null or object_type = @ResourceType) and (@ResourceId is null or object_id = @ResourceId)
        and (@Relation is null or relation = @Relation) and (@SubjectType is null or subject_type = @SubjectType)
        and (@SubjectId is null or subject_id = @SubjectId) and (@SubjectRelation is null or subject_relation = @SubjectRelation)
        """;

    private volatile ZedSchema? _parsed;

    public string Name => AuthorizationOptions.EmbeddedName;

    public async Task<string?> ReadSchemaAsync(CancellationToken ct)
    {
        await using var connection = await database.OpenConnectionAsync(ct);
        return await SchemaTextAsync(connection, ct);
    }

    /// <exception cref="EngineException">The schema is invalid, or does not allow a stored relationship.</exception>
    public async Task WriteSchemaAsync(string schema, CancellationToken ct)
    {
        ZedSchema parsed;
        try
        {
            parsed = ZedSchema.Parse(schema);
        }
        catch (ZedException exception)
        {
            throw new EngineException(exception.IsParseError ? EngineException.InvalidArgumentCode : EngineException.FailedPreconditionCode, exception.Message);
        }

        await using var connection = await database.OpenConnectionAsync(ct);
        await using var transaction = await connection.BeginTransactionAsync(ct);
        await LockAsync(connection, exclusive: true);
        var kinds = await connection.QueryAsync<(string Type, string Relation, string SubjectType, bool Wildcard, string SubjectRelation)>(
            "select distinct object_type, relation, subject_type, subject_id = '*', subject_relation from relation_tuples where store = @store",
            new { store });
        foreach (var kind in kinds)
        {
            var subject = new ZedSubject(kind.SubjectType, kind.SubjectRelation.Length == 0 ? null : kind.SubjectRelation, kind.Wildcard);
            if (!parsed.Definitions.TryGetValue(kind.Type, out var definition))
            {
                throw EngineException.Invalid($"cannot delete object definition `{kind.Type}`, as a relationship exists under it");
            }

            if (!definition.Relations.TryGetValue(kind.Relation, out var relation))
            {
                throw EngineException.Invalid($"cannot delete relation `{kind.Relation}` in object definition `{kind.Type}`, as a relationship exists under it");
            }

            if (!relation.Subjects.Contains(subject))
            {
                throw EngineException.Invalid(
                    $"cannot remove allowed type `{subject}` from relation `{kind.Relation}` in object definition `{kind.Type}`, as a relationship exists with it");
            }
        }

        await connection.ExecuteAsync(
            "insert into relation_schemas (store, schema) values (@store, @schema) on conflict (store) do update set schema = @schema", new { store, schema });
        await transaction.CommitAsync(ct);
    }

    public Task WriteAsync(IReadOnlyCollection<RelationshipUpdate> updates, CancellationToken ct) => WriteAsync(updates, [], ct);

    /// <param name="updates">Written in one transaction.</param>
    /// <param name="preconditions">Filters that must match, or must not match, a stored relationship.</param>
    /// <param name="ct">Nothing is written when it is cancelled.</param>
    /// <exception cref="EngineException">An update is invalid, or a precondition does not hold.</exception>
    public async Task WriteAsync(
        IReadOnlyCollection<RelationshipUpdate> updates, IReadOnlyCollection<(bool MustMatch, RelationshipFilter Filter)> preconditions, CancellationToken ct)
    {
        await using var connection = await database.OpenConnectionAsync(ct);
        await using var transaction = await connection.BeginTransactionAsync(ct);
        await LockAsync(connection, exclusive: false);
        RelationshipValidator.Check(await SchemaAsync(connection, ct), updates);
        await RequireAsync(connection, preconditions);
        await ExecuteAsync(
            """
            delete from relation_tuples t using unnest(@types, @ids, @relations, @subjectTypes, @subjectIds, @subjectRelations) as u (a, b, c, d, e, f)
            where t.store = @store and t.object_type = a and t.object_id = b and t.relation = c and t.subject_type = d and t.subject_id = e and t.subject_relation = f
            """,
            UpdateOperation.Delete);
        await ExecuteAsync($"{Insert} on conflict do nothing", UpdateOperation.Touch);
        try
        {
            await ExecuteAsync(Insert, UpdateOperation.Create);
        }
        catch (PostgresException exception) when (exception.SqlState == PostgresErrorCodes.UniqueViolation)
        {
            throw new EngineException(
                EngineException.AlreadyExistsCode,
                "could not CREATE one or more relationships, as they already existed. If this is persistent, please switch to TOUCH operations or specify a precondition");
        }

        await transaction.CommitAsync(ct);

        async Task ExecuteAsync(string sql, UpdateOperation operation)
        {
            var some = updates.Where(update => update.Operation == operation).Select(static update => update.Relationship).ToArray();
            if (some.Length > 0)
            {
                await connection.ExecuteAsync(sql, new
                {
                    store,
                    types = some.Select(static tuple => tuple.Resource.Type).ToArray(),
                    ids = some.Select(static tuple => tuple.Resource.Id).ToArray(),
                    relations = some.Select(static tuple => tuple.Relation).ToArray(),
                    subjectTypes = some.Select(static tuple => tuple.Subject.Object.Type).ToArray(),
                    subjectIds = some.Select(static tuple => tuple.Subject.Object.Id).ToArray(),
                    subjectRelations = some.Select(static tuple => tuple.Subject.Relation).ToArray(),
                });
            }
        }
    }

    private const string Insert =
        """
        insert into relation_tuples (store, object_type, object_id, relation, subject_type, subject_id, subject_relation)
        select @store, * from unnest(@types, @ids, @relations, @subjectTypes, @subjectIds, @subjectRelations)
        """;

    /// <exception cref="EngineException">The filter refers to an undefined name, or a precondition does not hold.</exception>
    public async Task DeleteAsync(
        RelationshipFilter filter, IReadOnlyCollection<(bool MustMatch, RelationshipFilter Filter)> preconditions, CancellationToken ct)
    {
        await using var connection = await database.OpenConnectionAsync(ct);
        await using var transaction = await connection.BeginTransactionAsync(ct);
        await LockAsync(connection, exclusive: false);
        CheckFilter(await SchemaAsync(connection, ct), filter);
        await RequireAsync(connection, preconditions);
        await connection.ExecuteAsync($"delete from relation_tuples where {Match}", Parameters(filter));
        await transaction.CommitAsync(ct);
    }

    /// <exception cref="EngineException">The filter refers to an undefined name.</exception>
    public async IAsyncEnumerable<Relationship> ReadAsync(RelationshipFilter filter, [EnumeratorCancellation] CancellationToken ct)
    {
        await using var connection = await database.OpenConnectionAsync(ct);
        CheckFilter(await SchemaAsync(connection, ct), filter);
        var rows = connection.QueryUnbufferedAsync<(string Type, string Id, string Relation, string SubjectType, string SubjectId, string SubjectRelation)>(
            $"""
            select object_type, object_id, relation, subject_type, subject_id, subject_relation from relation_tuples where {Match}
            order by object_type, object_id, relation, subject_type, subject_id, subject_relation
            """,
            Parameters(filter));
        await foreach (var row in rows.WithCancellation(ct))
        {
            yield return new Relationship(
                new ObjectRef(row.Type, row.Id), row.Relation, new SubjectRef(new ObjectRef(row.SubjectType, row.SubjectId), row.SubjectRelation));
        }
    }

    /// <exception cref="EngineException">A check is invalid or exceeds the depth limit.</exception>
    public async Task<bool[]> CheckAsync(IReadOnlyList<PermissionCheck> checks, CancellationToken ct) =>
        [.. (await EvaluateAsync(checks, ct)).Select(static answer => answer.Error is null ? answer.Has : throw answer.Error)];

    /// <returns>For each check the result, or the error.</returns>
    /// <exception cref="EngineException">There is no schema.</exception>
    public async Task<IReadOnlyList<(bool Has, EngineException? Error)>> EvaluateAsync(IReadOnlyList<PermissionCheck> checks, CancellationToken ct)
    {
        await using var connection = await database.OpenConnectionAsync(ct);
        await using var transaction = await connection.BeginTransactionAsync(IsolationLevel.RepeatableRead, ct);
        var schema = await SchemaAsync(connection, ct);
        var tuples = new RelationshipReader(connection, store);
        var evaluations = new Dictionary<SubjectRef, PermissionEvaluator>();
        var answers = new List<(bool, EngineException?)>(checks.Count);
        foreach (var (resource, permission, subject) in checks)
        {
            if (!evaluations.TryGetValue(subject, out var evaluation))
            {
                evaluations[subject] = evaluation = new PermissionEvaluator(schema, tuples, subject);
            }

            try
            {
                answers.Add((await evaluation.HasAsync(resource, permission, ct), null));
            }
            catch (EngineException exception)
            {
                answers.Add((false, exception));
            }
        }

        return answers;
    }

    /// <summary>Writers share the lock. A schema change takes it exclusively, so that no write is validated against the old schema.</summary>
    private Task<int> LockAsync(NpgsqlConnection connection, bool exclusive) => connection.ExecuteAsync(
        exclusive ? "select pg_advisory_xact_lock(1130718720, @store)" : "select pg_advisory_xact_lock_shared(1130718720, @store)", new { store = (int)store });

    private static void CheckFilter(ZedSchema schema, RelationshipFilter filter)
    {
        if (filter.ResourceType is { Length: > 0 } type)
        {
            if (!schema.Definitions.ContainsKey(type))
            {
                throw EngineException.UnknownDefinition(type);
            }

            if (filter.Relation is { Length: > 0 } relation)
            {
                PermissionEvaluator.Require(schema, type, relation);
            }
        }

        if (filter.SubjectType is { Length: > 0 } subject && !schema.Definitions.ContainsKey(subject))
        {
            throw EngineException.UnknownDefinition(subject);
        }
    }

    private async Task RequireAsync(NpgsqlConnection connection, IEnumerable<(bool MustMatch, RelationshipFilter Filter)> preconditions)
    {
        foreach (var (mustMatch, filter) in preconditions)
        {
            if (await connection.QuerySingleAsync<bool>($"select exists (select from relation_tuples where {Match})", Parameters(filter)) != mustMatch)
            {
                throw EngineException.Precondition("unable to satisfy write precondition");
            }
        }
    }

    private object Parameters(RelationshipFilter filter) => new
    {
        store, filter.ResourceType, filter.ResourceId, filter.Relation, filter.SubjectType, filter.SubjectId, filter.SubjectRelation,
    };

    private async Task<ZedSchema> SchemaAsync(NpgsqlConnection connection, CancellationToken ct)
    {
        var text = await SchemaTextAsync(connection, ct) ?? throw EngineException.NoSchema;
        return _parsed is { } parsed && parsed.Text == text ? parsed : _parsed = ZedSchema.Parse(text);
    }

    private Task<string?> SchemaTextAsync(NpgsqlConnection connection, CancellationToken ct) => connection.QuerySingleOrDefaultAsync<string>(
        new CommandDefinition("select schema from relation_schemas where store = @store", new { store }, cancellationToken: ct));
}
