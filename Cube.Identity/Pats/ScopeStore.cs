using Cube.Identity.Api;
using Cube.Identity.Callers;
using Cube.Identity.Database;
using Dapper;
using Npgsql;

namespace Cube.Identity.Pats;

internal enum ScopeChange
{
    Done,
    UnknownToken,
    Duplicate,

    /// <summary>The caller is not a member of one of the domains, or it does not exist.</summary>
    ForeignDomain,
    TooMany,
}

internal sealed class ScopeStore(NpgsqlDataSource database)
{
    public const int Max = 100;

    private const string Owns = "exists (select from pats where id = @patId and user_id = @UserId)";

    /// <returns>Null when the caller does not have the token.</returns>
    public async Task<(long Total, IEnumerable<PatScope> Scopes)?> ListAsync(Guid patId, Paging paging, Caller caller, CancellationToken ct)
    {
        await using var connection = await database.OpenConnectionAsync(ct);
        var arguments = new { patId, caller.UserId, paging.From, paging.Count };
        if (!await connection.QuerySingleAsync<bool>(new CommandDefinition($"select {Owns}", arguments, cancellationToken: ct)))
        {
            return null;
        }

        return (
            await connection.QuerySingleAsync<long>(new CommandDefinition("select count(*) from pat_scopes where pat_id = @patId", arguments, cancellationToken: ct)),
            await connection.QueryAsync<PatScope>(new CommandDefinition(
                "select id, pat_id, domain_id, entity_type, entity_id, operation from pat_scopes where pat_id = @patId order by id offset @From limit @Count",
                arguments,
                cancellationToken: ct)));
    }

    /// <summary>Adds all scopes in one transaction.</summary>
    public async Task<ScopeChange> AddAsync(Guid patId, IReadOnlyCollection<PatScope> scopes, Caller caller, CancellationToken ct)
    {
        await using var change = await database.BeginChangeAsync(caller, ct);
        var connection = change.Connection;
        var found = await connection.QuerySingleOrDefaultAsync<Guid?>(
            "select id from pats where id = @patId and user_id = @UserId for update", new { patId, caller.UserId });
        if (found is null)
        {
            return ScopeChange.UnknownToken;
        }

        var domains = scopes.Select(static scope => scope.DomainId).Distinct().ToArray();
        var own = await connection.QuerySingleAsync<long>(
            "select count(*) from role_members where user_id = @UserId and domain_id = any(@domains)", new { caller.UserId, domains });
        if (own != domains.Length)
        {
            return ScopeChange.ForeignDomain;
        }

        if (await connection.QuerySingleAsync<long>("select count(*) from pat_scopes where pat_id = @patId", new { patId }) + scopes.Count > Max)
        {
            return ScopeChange.TooMany;
        }

        try
        {
            await connection.ExecuteAsync(
                """
                insert into pat_scopes (id, pat_id, domain_id, entity_type, entity_id, operation)
                values (@Id, @PatId, @DomainId, @EntityType, @EntityId, @Operation)
                """,
                scopes);
        }
        catch (PostgresException exception) when (exception.SqlState == PostgresErrorCodes.UniqueViolation)
        {
            return ScopeChange.Duplicate;
        }

        await change.CommitAsync();
        return ScopeChange.Done;
    }

    /// <param name="patId">The token.</param>
    /// <param name="ids">Null for all scopes of the token.</param>
    /// <param name="caller">The owner.</param>
    /// <param name="ct">Cancels the change.</param>
    /// <returns>The number of removed scopes, or null when the caller does not have the token.</returns>
    public async Task<int?> RemoveAsync(Guid patId, Guid[]? ids, Caller caller, CancellationToken ct)
    {
        await using var change = await database.BeginChangeAsync(caller, ct);
        if (!await change.Connection.QuerySingleAsync<bool>($"select {Owns}", new { patId, caller.UserId }))
        {
            return null;
        }

        var removed = await change.Connection.ExecuteAsync(
            "delete from pat_scopes where pat_id = @patId and (@ids::uuid[] is null or id = any(@ids::uuid[]))", new { patId, ids });
        await change.CommitAsync();
        return removed;
    }
}
