using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;
using Cube.Identity.Users;
using Dapper;
using Npgsql;

namespace Cube.Identity.Mail;

/// <summary>Single-use tokens that are sent by e-mail, each for one purpose and a limited time. The table contains only SHA-256 hashes.</summary>
internal sealed class MailTokenStore(NpgsqlDataSource database, TimeProvider time)
{
    public const string Verify = "verify";
    public const string Recover = "recover";

    /// <summary>The minimum interval between two e-mails for the same user, purpose and address.</summary>
    private static readonly TimeSpan MinInterval = TimeSpan.FromMinutes(1);

    private static TimeSpan LifetimeOf(string purpose) => purpose == Recover ? TimeSpan.FromMinutes(5) : TimeSpan.FromHours(24);

    /// <param name="user">The user as read before. When the password has changed since, no token is created.</param>
    /// <param name="purpose"><see cref="Verify"/> or <see cref="Recover"/>.</param>
    /// <param name="email">The recipient.</param>
    /// <param name="ct">Cancels the change.</param>
    /// <returns>A new token, which replaces earlier ones of the purpose, or null when the minimum interval has not passed.</returns>
    public async Task<string?> CreateAsync(User user, string purpose, string email, CancellationToken ct)
    {
        var (token, now) = (Base64Url.EncodeToString(RandomNumberGenerator.GetBytes(32)), time.GetUtcNow());
        await using var connection = await database.OpenConnectionAsync(ct);
        await using var transaction = await connection.BeginTransactionAsync(ct);
        var userId = user.Id;
        // A password change deletes all mail tokens. The row lock orders both: either this token is deleted, or it is not created.
        if (!await connection.QuerySingleOrDefaultAsync<bool>(
            "select true from users where id = @userId and password_hash = @PasswordHash and status = 'enabled' for share", new { userId, user.PasswordHash }))
        {
            return null;
        }

        var last = await connection.QuerySingleAsync<DateTime?>(
            "select max(created_at) from mail_tokens where user_id = @userId and purpose = @purpose and email = @email", new { userId, purpose, email });
        if (last > (now - MinInterval).UtcDateTime)
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

    /// <summary>Consumes a token in the caller's transaction.</summary>
    /// <returns>The user and the address that the token was sent to, or null when the token is invalid.</returns>
    public async Task<MailToken?> RedeemAsync(NpgsqlConnection connection, string token, string purpose)
    {
        // Locks the user's row first, as a password change does, so that the two are serialized.
        var hash = Hash(token);
        await connection.ExecuteAsync("select from mail_tokens t join users u on u.id = t.user_id where t.token_hash = @hash for update of u", new { hash });
        return await connection.QuerySingleOrDefaultAsync<MailToken>(
            "delete from mail_tokens where token_hash = @hash and purpose = @purpose and expires_at > @now returning user_id, email",
            new { hash, purpose, now = time.GetUtcNow() });
    }

    private static byte[] Hash(string token) => SHA256.HashData(Encoding.UTF8.GetBytes(token));
}

internal sealed record MailToken(Guid UserId, string Email);
