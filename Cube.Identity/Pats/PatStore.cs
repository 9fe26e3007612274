using Cube.Identity.Api;
using Cube.Identity.Callers;
using Cube.Identity.Database;
using Dapper;
using Npgsql;

namespace Cube.Identity.Pats;

internal sealed class PatStore(NpgsqlDataSource database, TimeProvider time)
{
    private const string Columns = "id, user_id, name, description, issued_at, expires_at, updated_at, last_used_at, revoked_at";

    /// <summary>Finds the active token of an enabled user by its secret, and records the time of use at most once a minute.</summary>
    public async Task<Pat?> UseAsync(string secret, CancellationToken ct)
    {
        var now = time.GetUtcNow();
        await using var connection = await database.OpenConnectionAsync(ct);
        var pat = await connection.QuerySingleOrDefaultAsync<Pat>(new CommandDefinition(
            $"""
            select {Columns} from pats
            where secret_hash = @hash and revoked_at is null and expires_at > @now
              and exists (select from users u where u.id = user_id and u.status = 'enabled')
            """,
            new { hash = PatSecret.Hash(secret), now },
            cancellationToken: ct));
        if (pat is not null && (pat.LastUsedAt is null || pat.LastUsedAt < now.UtcDateTime.AddMinutes(-1)))
        {
            await connection.ExecuteAsync(new CommandDefinition(
                "update pats set last_used_at = @now where id = @Id", new { now, pat.Id }, cancellationToken: ct));
        }

        return pat;
    }

    public async Task<(Pat Pat, string Secret)> AddAsync(string name, string description, TimeSpan lifetime, Caller caller, CancellationToken ct)
    {
        var (id, secret, now) = (Guid.CreateVersion7(), PatSecret.Generate(), time.GetUtcNow());
        await using var change = await database.BeginChangeAsync(caller, ct);
        var pat = await change.Connection.QuerySingleAsync<Pat>(
            $"""
            insert into pats (id, user_id, name, description, secret_hash, issued_at, expires_at)
            values (@id, @UserId, @name, @description, @hash, @now, @expires) returning {Columns}
            """,
            new { id, caller.UserId, name, description, hash = PatSecret.Hash(secret), now, expires = now + lifetime });
        await change.CommitAsync();
        return (pat, secret);
    }

    public async Task<Pat?> FindAsync(Guid id, Guid userId, CancellationToken ct)
    {
        await using var connection = await database.OpenConnectionAsync(ct);
        return await connection.QuerySingleOrDefaultAsync<Pat>(new CommandDefinition(
            $"select {Columns} from pats where id = @id and user_id = @userId", new { id, userId }, cancellationToken: ct));
    }

    public async Task<(long Total, IEnumerable<Pat> Pats)> ListAsync(Guid userId, Guid? id, string? name, string? status, Paging paging, CancellationToken ct)
    {
        const string where =
            """
            user_id = @userId and (@id::uuid is null or id = @id::uuid) and (@name is null or position(lower(@name) in lower(name)) > 0)
            and (@status is null or @status = case when revoked_at is not null then 'revoked' when expires_at <= @now then 'expired' else 'active' end)
            """;
        var arguments = new { userId, id, name, status, now = time.GetUtcNow(), paging.From, paging.Count };
        await using var connection = await database.OpenConnectionAsync(ct);
        var total = await connection.QuerySingleAsync<long>(new CommandDefinition($"select count(*) from pats where {where}", arguments, cancellationToken: ct));
        return (total, await connection.QueryAsync<Pat>(new CommandDefinition(
            $"select {Columns} from pats where {where} order by issued_at desc, id offset @From limit @Count", arguments, cancellationToken: ct)));
    }

    /// <summary>Updates a token of the caller.</summary>
    /// <param name="id">The token.</param>
    /// <param name="set">A SQL assignment with the parameter <c>@value</c>; never client input.</param>
    /// <param name="value">The value of <c>@value</c>.</param>
    /// <param name="caller">The owner.</param>
    /// <param name="ct">Cancels the change.</param>
    /// <returns>Null when the caller does not have the token.</returns>
    private async Task<Pat?> UpdateAsync(Guid id, string set, object? value, Caller caller, CancellationToken ct)
    {
        await using var change = await database.BeginChangeAsync(caller, ct);
        var pat = await change.Connection.QuerySingleOrDefaultAsync<Pat>(
            $"update pats set {set}, updated_at = @now where id = @id and user_id = @UserId returning {Columns}",
            new { id, value, caller.UserId, now = time.GetUtcNow() });
        await change.CommitAsync();
        return pat;
    }

    public Task<Pat?> RenameAsync(Guid id, string name, Caller caller, CancellationToken ct) => UpdateAsync(id, "name = @value", name, caller, ct);

    public Task<Pat?> DescribeAsync(Guid id, string description, Caller caller, CancellationToken ct) =>
        UpdateAsync(id, "description = @value", description, caller, ct);

    public Task<Pat?> RevokeAsync(Guid id, Caller caller, CancellationToken ct) =>
        UpdateAsync(id, "revoked_at = coalesce(revoked_at, @now)", null, caller, ct);

    /// <summary>Replaces the secret and the lifetime of a token. A revoked token becomes active again.</summary>
    public async Task<(Pat? Pat, string Secret)> ResetAsync(Guid id, TimeSpan lifetime, Caller caller, CancellationToken ct)
    {
        var (secret, now) = (PatSecret.Generate(), time.GetUtcNow());
        await using var change = await database.BeginChangeAsync(caller, ct);
        var pat = await change.Connection.QuerySingleOrDefaultAsync<Pat>(
            $"""
            update pats set secret_hash = @hash, issued_at = @now, expires_at = @expires, updated_at = @now, revoked_at = null
            where id = @id and user_id = @UserId returning {Columns}
            """,
            new { id, caller.UserId, hash = PatSecret.Hash(secret), now, expires = now + lifetime });
        await change.CommitAsync();
        return (pat, secret);
    }

    /// <param name="id">Null for all tokens of the caller.</param>
    /// <param name="caller">The owner.</param>
    /// <param name="ct">Cancels the change.</param>
    /// <returns>The number of deleted tokens.</returns>
    public async Task<int> DeleteAsync(Guid? id, Caller caller, CancellationToken ct)
    {
        await using var change = await database.BeginChangeAsync(caller, ct);
        var deleted = await change.Connection.ExecuteAsync(
            "delete from pats where user_id = @UserId and (@id::uuid is null or id = @id::uuid)", new { caller.UserId, id });
        await change.CommitAsync();
        return deleted;
    }
}
