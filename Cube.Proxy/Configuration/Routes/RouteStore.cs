using Cube.Attestation.Policy;
using Cube.Proxy.Configuration.Policies;
using Cube.Proxy.Configuration;
using Cube.Proxy.Database;
using Dapper;
using Npgsql;

namespace Cube.Proxy.Configuration.Routes;

/// <summary>A route as it is kept, with the policy that is in force for it.</summary>
/// <param name="Definition">Null where what is stored cannot be loaded.</param>
internal sealed record StoredRoute(
    Guid Id, string Name, RouteDefinition? Definition, long Revision, DateTime CreatedAt, string CreatedBy, DateTime UpdatedAt, string UpdatedBy, string? Policy, int? PolicyVersion, string? Problem);

/// <summary>What a change does to a route's attestation policy.</summary>
/// <param name="IsSaid">False where the request says nothing of it, and it stays.</param>
/// <param name="Policy">The text of the new one, as it is stored; null for none.</param>
internal readonly record struct PolicyChange(bool IsSaid, string? Policy);

internal enum RouteChange
{
    Done,
    NotFound,
    NameTaken,
    DefaultTaken,
}

/// <summary>Routes in the database of the proxies. A route and its policy change together or not at all.</summary>
internal sealed class RouteStore(ProxyDatabase database)
{
    private static readonly string Definition = $"case when octet_length(r.definition::text) <= {RouteJson.MaxStored} then r.definition::text end as definition";

    private static readonly string Select =
        $"""
        select r.id, r.name, {Definition}, r.revision, r.created_at, r.created_by, r.updated_at, r.updated_by,
               case when octet_length(p.policy) <= {PolicyJson.MaxBytes} then p.policy else '' end as policy, p.version as policy_version
        from routes r left join attestation_policies p on p.scope = 'route:' || r.id and p.is_active
        """;

    private sealed record Row
    {
        public required Guid Id { get; init; }

        public required string Name { get; init; }

        public string? Definition { get; init; }

        public required long Revision { get; init; }

        public required DateTime CreatedAt { get; init; }

        public required string CreatedBy { get; init; }

        public required DateTime UpdatedAt { get; init; }

        public required string UpdatedBy { get; init; }

        public string? Policy { get; init; }

        public int? PolicyVersion { get; init; }

        public StoredRoute ToRoute()
        {
            var (definition, problem) = ((RouteDefinition?)null, (string?)null);
            try
            {
                definition = RouteJson.ReadStored(Definition);
            }
            catch (RouteException exception)
            {
                problem = exception.Message;
            }

            return new StoredRoute(Id, Name, definition, Revision, CreatedAt, CreatedBy, UpdatedAt, UpdatedBy, PolicyVersion is null ? null : Policy, PolicyVersion, problem);
        }
    }

    internal sealed record RunningRow(Guid Id, string Name, string? Definition, long Revision);

    /// <summary>Within the caller's transaction, so that routes and policies are of one moment.</summary>
    public static Task<IEnumerable<RunningRow>> RunningAsync(NpgsqlConnection connection, NpgsqlTransaction transaction, Guid[] ids, CancellationToken ct) =>
        connection.QueryAsync<RunningRow>(new CommandDefinition($"select r.id, r.name, {Definition}, r.revision from routes r where r.id = any(@ids)", new { ids }, transaction, cancellationToken: ct));

    public async Task<(int Total, IReadOnlyList<StoredRoute> Routes)> ListAsync(int offset, int limit, CancellationToken ct)
    {
        await using var connection = await database.Source.OpenConnectionAsync(ct);
        var total = await connection.ExecuteScalarAsync<int>(new CommandDefinition("select count(*)::integer from routes", cancellationToken: ct));
        var rows = await connection.QueryAsync<Row>(new CommandDefinition(
            $"{Select} order by case when r.definition->>'priority' ~ '^[0-9]{{1,4}}$' then (r.definition->>'priority')::integer else 0 end desc, r.name offset @offset limit @limit", new { offset, limit }, cancellationToken: ct));
        return (total, [.. rows.Select(static row => row.ToRoute())]);
    }

    public async Task<StoredRoute?> FindAsync(string name, CancellationToken ct)
    {
        await using var connection = await database.Source.OpenConnectionAsync(ct);
        return (await connection.QuerySingleOrDefaultAsync<Row>(new CommandDefinition($"{Select} where r.name = @name", new { name }, cancellationToken: ct)))?.ToRoute();
    }

    public Task<RouteChange> CreateAsync(RouteDefinition route, PolicyChange policy, string by, CancellationToken ct) => ChangeAsync(async (connection, transaction) =>
    {
        var id = Guid.CreateVersion7();
        await connection.ExecuteAsync(new CommandDefinition(
            "insert into routes (id, name, is_default, definition, created_by, updated_by) values (@id, @name, @isDefault, @definition::jsonb, @by, @by)",
            new { id, name = route.Name, isDefault = route.DefaultRule, definition = RouteJson.Write(route), by }, transaction, cancellationToken: ct));
        await ApplyAsync(connection, transaction, id, policy, by, ct);
        return RouteChange.Done;
    }, ct);

    /// <param name="name">Its name until now; the route may bring another one.</param>
    public Task<RouteChange> UpdateAsync(string name, RouteDefinition route, PolicyChange policy, string by, CancellationToken ct) => ChangeAsync(async (connection, transaction) =>
    {
        var id = await connection.QuerySingleOrDefaultAsync<Guid?>(new CommandDefinition(
            """
            update routes set name = @newName, is_default = @isDefault, definition = @definition::jsonb, revision = revision + 1, updated_at = now(), updated_by = @by
            where name = @name returning id
            """,
            new { name, newName = route.Name, isDefault = route.DefaultRule, definition = RouteJson.Write(route), by }, transaction, cancellationToken: ct));
        if (id is null)
        {
            return RouteChange.NotFound;
        }

        await ApplyAsync(connection, transaction, id.Value, policy, by, ct);
        return RouteChange.Done;
    }, ct);

    public Task<RouteChange> DeleteAsync(string name, string by, CancellationToken ct) => ChangeAsync(async (connection, transaction) =>
    {
        var id = await connection.QuerySingleOrDefaultAsync<Guid?>(new CommandDefinition("delete from routes where name = @name returning id", new { name }, transaction, cancellationToken: ct));
        if (id is null)
        {
            return RouteChange.NotFound;
        }

        await ApplyAsync(connection, transaction, id.Value, new PolicyChange(true, null), by, ct);
        return RouteChange.Done;
    }, ct);

    /// <summary>Writes the configured routes, once in the life of the database.</summary>
    public async Task SeedAsync(IReadOnlyList<(RouteDefinition Route, string? Policy)> routes, CancellationToken ct)
    {
        await using var connection = await database.Source.OpenConnectionAsync(ct);
        await using var transaction = await connection.BeginTransactionAsync(ct);
        if (await connection.ExecuteAsync(new CommandDefinition("insert into routes_seeded default values on conflict do nothing", transaction: transaction, cancellationToken: ct)) == 0)
        {
            return;
        }

        foreach (var (route, policy) in routes)
        {
            var id = Guid.CreateVersion7();
            await connection.ExecuteAsync(new CommandDefinition(
                "insert into routes (id, name, is_default, definition, created_by, updated_by) values (@id, @name, @isDefault, @definition::jsonb, 'configuration', 'configuration')",
                new { id, name = route.Name, isDefault = route.DefaultRule, definition = RouteJson.Write(route) }, transaction, cancellationToken: ct));
            await ApplyAsync(connection, transaction, id, new PolicyChange(policy is not null, policy), "configuration", ct);
        }

        await transaction.CommitAsync(ct);
    }

    private async Task<RouteChange> ChangeAsync(Func<NpgsqlConnection, NpgsqlTransaction, Task<RouteChange>> change, CancellationToken ct)
    {
        await using var connection = await database.Source.OpenConnectionAsync(ct);
        await using var transaction = await connection.BeginTransactionAsync(ct);
        try
        {
            var outcome = await change(connection, transaction);
            if (outcome == RouteChange.Done)
            {
                await transaction.CommitAsync(ct);
            }

            return outcome;
        }
        catch (PostgresException exception) when (exception.SqlState == PostgresErrorCodes.UniqueViolation)
        {
            return exception.ConstraintName == "routes_default" ? RouteChange.DefaultTaken : RouteChange.NameTaken;
        }
    }

    private static async Task ApplyAsync(NpgsqlConnection connection, NpgsqlTransaction transaction, Guid id, PolicyChange change, string by, CancellationToken ct)
    {
        if (change.IsSaid)
        {
            await PolicyStore.ReplaceAsync(connection, transaction, PolicyScope.OfRoute(id), change.Policy, by, ct);
        }
    }
}
