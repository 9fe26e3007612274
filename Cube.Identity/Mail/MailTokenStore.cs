using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;
using Cube.Identity.Users;
using Dapper;
using Npgsql;

namespace Cube.Identity.Mail;

/// <summary>Tokens that are sent by mail: good once, for a while, for one purpose. Only their hashes are kept.</summary>
internal sealed class MailTokenStore(NpgsqlDataSource database, TimeProvider time)
{
    public const string Verify = "verify";
    public const string Recover = "recover";

    /// <summary>Between two mails of a kind to one user.</summary>
    private static readonly TimeSpan Pause = TimeSpan.FromMinutes(1);

    private static TimeSpan LifetimeOf(string purpose) => purpose == Recover ? TimeSpan.FromMinutes(5) : TimeSpan.FromHours(24);

    /// <param name="user">As read: where the password was changed since, there is no token.</param>
    /// <param name="purpose"><see cref="Verify"/> or <see cref="Recover"/>.</param>
    /// <param name="email">Where it is sent.</param>
    /// <param name="ct">Ends it before it is done.</param>
    /// <returns>A new token, or null where one was sent just now. Earlier ones of the purpose are good no more.</returns>
    public async Task<string?> CreateAsync(User user, string purpose, string email, CancellationToken ct)
    {
        var (token, now) = (Base64Url.EncodeToString(RandomNumberGenerator.GetBytes(32)), time.GetUtcNow());
        await using var connection = await database.OpenConnectionAsync(ct);
        await using var transaction = await connection.BeginTransactionAsync(ct);
        var userId = user.Id;
        // A change of the password voids all tokens. This one comes before it and is voided, or after it and is not made.
        if (!await connection.QuerySingleOrDefaultAsync<bool>(
            "select true from users where id = @userId and password_hash = @PasswordHash and status = 'enabled' for share", new { userId, user.PasswordHash }))
        {
            return null;
        }

        var last = await connection.QuerySingleAsync<DateTime?>(
            "select max(created_at) from mail_tokens where user_id = @userId and purpose = @purpose and email = @email", new { userId, purpose, email });
        if (last > (now - Pause).UtcDateTime)
        {
            return null;
        }

        await connection.ExecuteAsync(
            """
            delete from mail_tokens where (user_id = @userId and purpose = @purpose) or expires_at < @now;
            insert into mail_tokens (token_hash, user_id, purpose, email, created_at, expires_at) values (@hash, @userId, @purpose, @email, @now, @expires)
            """,
            new { userId, purpose, email, hash = Hash(token), now, expires = now + LifetimeOf(purpose) });
        await transaction.CommitAsync(ct);
        return token;
    }

    /// <returns>Whose token it was, and the address that it was sent to; null where it is not good. It is good no more afterwards, if the caller's transaction commits.</returns>
    public async Task<MailToken?> RedeemAsync(NpgsqlConnection connection, string token, string purpose)
    {
        // The user's row first, as every change of a password does: whichever comes second finds the token gone.
        var hash = Hash(token);
        await connection.ExecuteAsync("select from mail_tokens t join users u on u.id = t.user_id where t.token_hash = @hash for update of u", new { hash });
        return await connection.QuerySingleOrDefaultAsync<MailToken>(
            "delete from mail_tokens where token_hash = @hash and purpose = @purpose and expires_at > @now returning user_id, email",
            new { hash, purpose, now = time.GetUtcNow() });
    }

    private static byte[] Hash(string token) => SHA256.HashData(Encoding.UTF8.GetBytes(token));
}

internal sealed record MailToken(Guid UserId, string Email);
