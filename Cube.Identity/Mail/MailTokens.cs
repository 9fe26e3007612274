using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;
using Dapper;
using Npgsql;

namespace Cube.Identity.Mail;

/// <summary>Tokens that are sent by mail: good once, for a while, for one purpose. Only their hashes are kept.</summary>
internal sealed class MailTokens(NpgsqlDataSource database, TimeProvider time)
{
    public const string Verify = "verify";
    public const string Recover = "recover";

    /// <summary>Between two mails of a kind to one user.</summary>
    private static readonly TimeSpan Pause = TimeSpan.FromMinutes(1);

    private static TimeSpan LifetimeOf(string purpose) => purpose == Recover ? TimeSpan.FromMinutes(5) : TimeSpan.FromHours(24);

    /// <returns>A new token, or null where one was sent just now. Earlier ones of the purpose are good no more.</returns>
    public async Task<string?> MakeAsync(Guid userId, string purpose, string email, CancellationToken ct)
    {
        var (token, now) = (Base64Url.EncodeToString(RandomNumberGenerator.GetBytes(32)), time.GetUtcNow());
        await using var connection = await database.OpenConnectionAsync(ct);
        await using var transaction = await connection.BeginTransactionAsync(ct);
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
    public Task<MailToken?> TakeAsync(NpgsqlConnection connection, string token, string purpose) => connection.QuerySingleOrDefaultAsync<MailToken>(
        "delete from mail_tokens where token_hash = @hash and purpose = @purpose and expires_at > @now returning user_id, email",
        new { hash = Hash(token), purpose, now = time.GetUtcNow() });

    private static byte[] Hash(string token) => SHA256.HashData(Encoding.UTF8.GetBytes(token));
}

internal sealed record MailToken(Guid UserId, string Email);
