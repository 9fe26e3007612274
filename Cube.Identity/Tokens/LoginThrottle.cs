using System.Security.Cryptography;
using System.Text;
using Cube.Identity.Configuration;
using Cube.Identity.Users;
using Dapper;
using Microsoft.Extensions.Options;
using Npgsql;

namespace Cube.Identity.Tokens;

/// <summary>
/// Counts wrong passwords per account and client address, and per client address, in the database for all replicas. After ten failures for an
/// account, or the limit of an address, within one minute, passwords are not verified until that minute has passed.
/// </summary>
internal sealed class LoginThrottle(NpgsqlDataSource database, IOptions<IdentityOptions> options, TimeProvider time) : IDisposable
{
    private const int Limit = 10;
    private static readonly TimeSpan Window = TimeSpan.FromMinutes(1);

    /// <summary>The account key of the row that counts all failures of an address.</summary>
    private static readonly byte[] AllAccounts = SHA256.HashData("every account"u8);

    /// <summary>Serialize attempts on one account from one address, so that a burst cannot pass before its first failure is counted.</summary>
    private readonly SemaphoreSlim[] _queues = [.. Enumerable.Range(0, 64).Select(_ => new SemaphoreSlim(1, 1))];

    /// <param name="user">The user, or null. The counter uses the id, so that user name and e-mail address share one counter.</param>
    /// <param name="name">The name in the request. For an unknown user its hash is the counter's key.</param>
    /// <param name="client">The client address.</param>
    /// <param name="ct">Cancels the wait.</param>
    public async Task<LoginAttempt> BeginAsync(User? user, string name, System.Net.IPAddress? client, CancellationToken ct)
    {
        var address = PasswordQueue.ClientKey(client);
        var account = SHA256.HashData(Encoding.UTF8.GetBytes(user is null ? $"name:{name.Trim().ToUpperInvariant()}" : $"user:{user.Id:N}"));
        var queue = _queues[(account[0] ^ SHA256.HashData(Encoding.UTF8.GetBytes(address))[0]) % _queues.Length];
        await queue.WaitAsync(ct);
        return new LoginAttempt(this, queue, account, address);
    }

    internal async Task<TimeSpan?> GetRetryAfterAsync(byte[] account, string address, CancellationToken ct)
    {
        await using var connection = await database.OpenConnectionAsync(ct);
        var since = await connection.QuerySingleAsync<DateTime?>(new CommandDefinition(
            """
            select max(since) from login_failures
            where address = @address and since > @start and ((account = @account and failures >= @Limit) or (account = @AllAccounts and failures >= @most))
            """,
            new { account, address, Limit, AllAccounts, most = options.Value.LoginFailuresPerAddress, start = time.GetUtcNow() - Window },
            cancellationToken: ct));
        return since is { } first ? Remaining(first) : null;
    }

    internal async Task<TimeSpan?> RecordFailureAsync(byte[] account, string address)
    {
        var now = time.GetUtcNow();
        await using var connection = await database.OpenConnectionAsync(CancellationToken.None);
        TimeSpan? wait = null;
        foreach (var (counted, most) in ((byte[], int)[])[(account, Limit), (AllAccounts, options.Value.LoginFailuresPerAddress)])
        {
            var (failures, since) = await connection.QuerySingleAsync<(int, DateTime)>(
                """
                insert into login_failures as f (account, address, since, failures) values (@counted, @address, @now, 1)
                on conflict (account, address) do update set
                    failures = case when f.since > @start then f.failures + 1 else 1 end,
                    since = case when f.since > @start then f.since else @now end
                returning failures, since
                """,
                new { counted, address, now, start = now - Window });
            wait ??= failures >= most ? Remaining(since) : null;
        }

        await connection.ExecuteAsync("delete from login_failures where since < @old", new { old = now - Window });
        return wait;
    }

    /// <summary>Clears the failures of the account but not those of the address, which a caller could otherwise clear by logging in to another account.</summary>
    internal async Task RecordSuccessAsync(byte[] account, string address)
    {
        await using var connection = await database.OpenConnectionAsync(CancellationToken.None);
        await connection.ExecuteAsync("delete from login_failures where account = @account and address = @address", new { account, address });
    }

    private TimeSpan Remaining(DateTime since)
    {
        var left = new DateTimeOffset(since) + Window - time.GetUtcNow();
        return left > TimeSpan.Zero ? left : TimeSpan.Zero;
    }

    public void Dispose() => Array.ForEach(_queues, static queue => queue.Dispose());
}

/// <summary>One login attempt. Other attempts on the same account and address wait until it is disposed.</summary>
internal sealed class LoginAttempt(LoginThrottle throttle, SemaphoreSlim queue, byte[] account, string address) : IDisposable
{
    /// <returns>The time until the next attempt is allowed, or null when this one is.</returns>
    public Task<TimeSpan?> GetRetryAfterAsync(CancellationToken ct) => throttle.GetRetryAfterAsync(account, address, ct);

    /// <summary>Not cancellable, so that a client cannot avoid the count by disconnecting.</summary>
    public Task<TimeSpan?> RecordFailureAsync() => throttle.RecordFailureAsync(account, address);

    public Task RecordSuccessAsync() => throttle.RecordSuccessAsync(account, address);

    public void Dispose() => queue.Release();
}
