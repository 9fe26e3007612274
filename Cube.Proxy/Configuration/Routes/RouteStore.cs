using Cube.Attestation.Policy;
using Cube.Proxy.Configuration.Policies;
using Cube.Proxy.Database;
using Dapper;
using Npgsql;

namespace Cube.Proxy.Configuration.Routes;

/// <summary>A stored route with its active policy.</summary>
/// <param name="Definition">Null if the stored definition is not valid.</param>
/// <param name="Policy">The JSON of the active policy; null if the route has none.</param>
/// <param name="Problem">Why the stored definition is not valid; else null.</param>
internal sealed record StoredRoute(
    Guid Id, string Name, RouteDefinition? Definition, long Revision, DateTime CreatedAt, string CreatedBy, DateTime UpdatedAt, string UpdatedBy, string? Policy, int? PolicyVersion, string? Problem);

/// <summary>How a request changes the attestation policy of a route.</summary>
/// <param name="IsSpecified">False if the request does not specify a policy: the policy does not change.</param>
/// <param name="Policy">JSON of the new policy; null to deactivate the policy.</param>
internal readonly record struct PolicyChange(bool IsSpecified, string? Policy);

internal enum RouteChangeResult
{
    Success,
    NotFound,
    NameTaken,
    DefaultTaken,
}

/// <summary>The routes in the database, which all proxies share. A route and its policy change in one transaction.</summary>
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

    /// <param name="Definition">The stored JSON; null if it exceeds <see cref="RouteJson.MaxStored"/>.</param>
    internal sealed record RouteRow(Guid Id, string Name, string? Definition, long Revision);

    /// <summary>Reads in the caller's transaction, so that policies, routes and catalogs are from one database snapshot.</summary>
    public static Task<IEnumerable<RouteRow>> ReadAsync(NpgsqlConnection connection, NpgsqlTransaction transaction, Guid[] ids, CancellationToken ct) =>
        connection.QueryAsync<RouteRow>(new CommandDefinition($"select r.id, r.name, {Definition}, r.revision from routes r where r.id = any(@ids)", new { ids }, transaction, cancellationToken: ct));

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

    public Task<RouteChangeResult> CreateAsync(RouteDefinition route, PolicyChange policy, string user, CancellationToken ct) => ChangeAsync(async (connection, transaction) =>
    {
        var id = Guid.CreateVersion7();
        await connection.ExecuteAsync(new CommandDefinition(
            "insert into routes (id, name, is_default, definition, created_by, updated_by) values (@id, @name, @isDefault, @definition::jsonb, @user, @user)",
            new { id, name = route.Name, isDefault = route.DefaultRule, definition = RouteJson.Write(route), user }, transaction, cancellationToken: ct));
        await ChangePolicyAsync(connection, transaction, id, policy, user, ct);
        return RouteChangeResult.Success;
    }, ct);

    /// <param name="name">The current name. <paramref name="route"/> may have a new name.</param>
    public Task<RouteChangeResult> UpdateAsync(string name, RouteDefinition route, PolicyChange policy, string user, CancellationToken ct) => ChangeAsync(async (connection, transaction) =>
    {
        var id = await connection.QuerySingleOrDefaultAsync<Guid?>(new CommandDefinition(
            """
            update routes set name = @newName, is_default = @isDefault, definition = @definition::jsonb, revision = revision + 1, updated_at = now(), updated_by = @user
            where name = @name returning id
            """,
            new { name, newName = route.Name, isDefault = route.DefaultRule, definition = RouteJson.Write(route), user }, transaction, cancellationToken: ct));
        if (id is null)
        {
            return RouteChangeResult.NotFound;
        }

        await ChangePolicyAsync(connection, transaction, id.Value, policy, user, ct);
        return RouteChangeResult.Success;
    }, ct);

    public Task<RouteChangeResult> DeleteAsync(string name, string user, CancellationToken ct) => ChangeAsync(async (connection, transaction) =>
    {
        var id = await connection.QuerySingleOrDefaultAsync<Guid?>(new CommandDefinition("delete from routes where name = @name returning id", new { name }, transaction, cancellationToken: ct));
        if (id is null)
        {
            return RouteChangeResult.NotFound;
        }

        await ChangePolicyAsync(connection, transaction, id.Value, new PolicyChange(true, null), user, ct);
        return RouteChangeResult.Success;
    }, ct);

    /// <summary>Stores the seed routes once. Has no effect if they were ever stored in this database, even if all routes have been deleted since.</summary>
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
            await ChangePolicyAsync(connection, transaction, id, new PolicyChange(policy is not null, policy), "configuration", ct);
        }

        await transaction.CommitAsync(ct);
    }

    private async Task<RouteChangeResult> ChangeAsync(Func<NpgsqlConnection, NpgsqlTransaction, Task<RouteChangeResult>> change, CancellationToken ct)
    {
        await using var connection = await database.Source.OpenConnectionAsync(ct);
        await using var transaction = await connection.BeginTransactionAsync(ct);
        try
        {
            var result = await change(connection, transaction);
            if (result == RouteChangeResult.Success)
            {
                await transaction.CommitAsync(ct);
            }

            return result;
        }
        catch (PostgresException exception) when (exception.SqlState == PostgresErrorCodes.UniqueViolation)
        {
            return exception.ConstraintName == "routes_default" ? RouteChangeResult.DefaultTaken : RouteChangeResult.NameTaken;
        }
    }

    private static async Task ChangePolicyAsync(NpgsqlConnection connection, NpgsqlTransaction transaction, Guid id, PolicyChange change, string user, CancellationToken ct)
    {
        if (change.IsSpecified)
        {
            await PolicyStore.ReplaceAsync(connection, transaction, PolicyScope.OfRoute(id), change.Policy, user, ct);
        }
    }
}
