using System.Net;
using System.Security.Cryptography;
using System.Text;
using Dapper;
using Npgsql;

namespace Cube.Identity.Tokens;

/// <summary>
/// Counts failed logins per account and client address, for all replicas and over restarts. From the tenth failure within a minute
/// on, nothing is tried any more until that minute is over.
/// </summary>
internal sealed class LoginThrottle(NpgsqlDataSource database, TimeProvider time) : IDisposable
{
    private const int Limit = 10;
    private static readonly TimeSpan Window = TimeSpan.FromMinutes(1);

    /// <summary>Attempts on one account wait for one another, so that a burst is not through before its first failure is counted.</summary>
    private readonly SemaphoreSlim[] _queues = [.. Enumerable.Range(0, 64).Select(_ => new SemaphoreSlim(1, 1))];

    public async Task<LoginAttempt> BeginAsync(string account, IPAddress? address, CancellationToken ct)
    {
        var key = SHA256.HashData(Encoding.UTF8.GetBytes(account.Trim().ToUpperInvariant()));
        var queue = _queues[key[0] % _queues.Length];
        await queue.WaitAsync(ct);
        return new LoginAttempt(this, queue, key, address?.ToString() ?? "");
    }

    internal async Task<TimeSpan?> WaitAsync(byte[] account, string address, CancellationToken ct)
    {
        await using var connection = await database.OpenConnectionAsync(ct);
        var since = await connection.QuerySingleOrDefaultAsync<DateTime?>(new CommandDefinition(
            "select since from login_failures where account = @account and address = @address and failures >= @Limit and since > @start",
            new { account, address, Limit, start = time.GetUtcNow() - Window },
            cancellationToken: ct));
        return since is { } first ? Remaining(first) : null;
    }

    internal async Task<TimeSpan?> FailedAsync(byte[] account, string address)
    {
        var now = time.GetUtcNow();
        await using var connection = await database.OpenConnectionAsync(CancellationToken.None);
        var (failures, since) = await connection.QuerySingleAsync<(int, DateTime)>(
            """
            insert into login_failures as f (account, address, since, failures) values (@account, @address, @now, 1)
            on conflict (account, address) do update set
                failures = case when f.since > @start then f.failures + 1 else 1 end,
                since = case when f.since > @start then f.since else @now end
            returning failures, since
            """,
            new { account, address, now, start = now - Window });
        await connection.ExecuteAsync("delete from login_failures where since < @old", new { old = now - Window });
        return failures >= Limit ? Remaining(since) : null;
    }

    internal async Task SucceededAsync(byte[] account, string address)
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

/// <summary>One try of one account; holds its place in the queue until disposed.</summary>
internal sealed class LoginAttempt(LoginThrottle throttle, SemaphoreSlim queue, byte[] account, string address) : IDisposable
{
    /// <returns>How long nothing is tried, or null where it may be.</returns>
    public Task<TimeSpan?> WaitAsync(CancellationToken ct) => throttle.WaitAsync(account, address, ct);

    /// <summary>Counted even when the client has gone: leaving early must not be a way around.</summary>
    public Task<TimeSpan?> FailedAsync() => throttle.FailedAsync(account, address);

    public Task SucceededAsync() => throttle.SucceededAsync(account, address);

    public void Dispose() => queue.Release();
}
