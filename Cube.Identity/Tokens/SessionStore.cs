using Cube.Identity.Configuration;
using Cube.Identity.Database;
using Cube.Identity.Users;
using Dapper;
using Microsoft.Extensions.Options;
using Npgsql;

namespace Cube.Identity.Tokens;

/// <summary>Sessions. Each login starts a session with one family of refresh tokens.</summary>
internal sealed class SessionStore(NpgsqlDataSource database, TokenIssuer issuer, IOptions<IdentityOptions> options, TimeProvider time)
{
    /// <param name="user">The user as read before the password was verified.</param>
    /// <param name="description">A name for the session.</param>
    /// <param name="ct">Cancels the change.</param>
    /// <returns>Null when the password was changed or the account disabled since the user was read.</returns>
    public async Task<TokenPair?> StartAsync(User user, string? description, CancellationToken ct)
    {
        var now = time.GetUtcNow();
        var (sessionId, tokenId) = (Guid.CreateVersion7(), Guid.NewGuid());
        await using var change = await database.BeginChangeAsync(user.Id, ct);
        var started = await change.Connection.ExecuteAsync(
            """
            insert into sessions (id, user_id, description, current_token, created_at, expires_at)
            select @sessionId, u.id, @description, @tokenId, @now, @expires from users u
            where u.id = @Id and u.status = 'enabled' and u.password_hash = @PasswordHash for share
            """,
            new { sessionId, user.Id, user.PasswordHash, description = description ?? "", tokenId, now, expires = now + options.Value.RefreshTokenLifetime });
        await change.CommitAsync();
        return started == 0 ? null : issuer.Issue(new SessionOwner(sessionId, user.Id, user.IsAdministrator), tokenId);
    }

    /// <summary>
    /// Exchanges the current refresh token of a family for the next one. Any other token of the family is a replay, which revokes the whole
    /// family (OAuth 2.0 Security Best Current Practice, RFC 9700, section 4.14.2).
    /// </summary>
    /// <returns>The new pair, or null when the token is not the current one of an active session.</returns>
    public async Task<TokenPair?> RotateAsync(TokenClaims token, CancellationToken ct)
    {
        var now = time.GetUtcNow();
        var next = Guid.NewGuid();
        await using var connection = await database.OpenConnectionAsync(ct);
        var role = await connection.QuerySingleOrDefaultAsync<string>(new CommandDefinition(
            """
            update sessions s set current_token = @next, expires_at = @expires
            from users u
            where s.id = @SessionId and s.user_id = @UserId and s.current_token = @TokenId
              and s.revoked_at is null and s.expires_at > @now and u.id = s.user_id and u.status = 'enabled'
            returning u.role
            """,
            new { next, expires = now + options.Value.RefreshTokenLifetime, token.SessionId, token.UserId, token.TokenId, now },
            cancellationToken: ct));
        if (role is not null)
        {
            return issuer.Issue(new SessionOwner(token.SessionId, token.UserId, role == "admin"), next);
        }

        await connection.ExecuteAsync(new CommandDefinition(
            "update sessions set revoked_at = @now where id = @SessionId and current_token <> @TokenId and revoked_at is null",
            new { now, token.SessionId, token.TokenId },
            cancellationToken: ct));
        return null;
    }

    /// <returns>False when the user has no such active session.</returns>
    public async Task<bool> RevokeAsync(Guid sessionId, Guid userId, CancellationToken ct)
    {
        await using var change = await database.BeginChangeAsync(userId, ct);
        var revoked = await change.Connection.ExecuteAsync(
            "update sessions set revoked_at = @now where id = @sessionId and user_id = @userId and revoked_at is null",
            new { now = time.GetUtcNow(), sessionId, userId });
        await change.CommitAsync();
        return revoked == 1;
    }

    public async Task<IEnumerable<ActiveSession>> ActiveAsync(Guid userId, CancellationToken ct)
    {
        await using var connection = await database.OpenConnectionAsync(ct);
        return await connection.QueryAsync<ActiveSession>(new CommandDefinition(
            "select id, description from sessions where user_id = @userId and revoked_at is null and expires_at > @now order by created_at desc",
            new { userId, now = time.GetUtcNow() },
            cancellationToken: ct));
    }
}

internal sealed record SessionOwner(Guid SessionId, Guid UserId, bool IsAdministrator);

/// <summary>One entry of the list of refresh tokens. The id identifies the family and does not change when the token rotates.</summary>
internal sealed record ActiveSession(Guid Id, string Description);
