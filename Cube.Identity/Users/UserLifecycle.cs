using System.Net.Sockets;
using Cube.Identity.Callers;
using Cube.Identity.Configuration;
using Cube.Identity.Database;
using Dapper;
using Npgsql;

namespace Cube.Identity.Users;

/// <summary>
/// Status and role of accounts. The platform always keeps an enabled administrator. A domain can lose its last one, so that no account is
/// protected from being disabled because it administers a domain. <c>DomainStore.SetAdministratorAsync</c> then appoints another.
/// </summary>
internal sealed class UserLifecycle(NpgsqlDataSource database, TimeProvider time)
{
    /// <summary>The advisory lock that serializes these changes.</summary>
    private const long Lock = 0x43756265_00000004;

    public Task<UserChange> EnableAsync(Guid id, Caller caller, CancellationToken ct) =>
        ChangeAsync(id, "status = 'enabled'", "status = 'disabled'", caller, ct);

    /// <summary>Also revokes the user's sessions, so that a user who is enabled again must log in again.</summary>
    public Task<UserChange> DisableAsync(Guid id, Caller caller, CancellationToken ct) =>
        ChangeAsync(id, "status = 'disabled'", "status = 'enabled'", caller, ct, "update sessions set revoked_at = @now where user_id = @id and revoked_at is null");

    public Task<UserChange> SetRoleAsync(Guid id, string role, Caller caller, CancellationToken ct) => role == "admin"
        ? ChangeAsync(id, "role = 'admin'", "role = 'user'", caller, ct)
        : ChangeAsync(id, "role = 'user'", "role = 'admin'", caller, ct);

    /// <summary>Removes the user's memberships, invitations, tokens and sessions. The row is purged after the retention time.</summary>
    public Task<UserChange> DeleteAsync(Guid id, Caller caller, CancellationToken ct) => ChangeAsync(
        id, "status = 'deleted', deleted_at = @now", "status <> 'deleted'", caller, ct,
        """
        update sessions set revoked_at = @now where user_id = @id and revoked_at is null;
        delete from role_members where user_id = @id;
        delete from invitations where invitee_user_id = @id;
        delete from pats where user_id = @id
        """);

    /// <summary>Deletes the rows of users who were deleted before the given time.</summary>
    public async Task<int> PurgeAsync(DateTimeOffset before, CancellationToken ct)
    {
        await using var change = await database.BeginChangeAsync(actor: null, ct);
        var purged = await change.Connection.ExecuteAsync(new CommandDefinition(
            "delete from users where status = 'deleted' and deleted_at < @before", new { before }, cancellationToken: ct));
        await change.CommitAsync();
        return purged;
    }

    private async Task<UserChange> ChangeAsync(Guid id, string set, string only, Caller caller, CancellationToken ct, string? also = null)
    {
        var now = time.GetUtcNow();
        await using var change = await database.BeginChangeAsync(caller, ct);
        var connection = change.Connection;
        await connection.ExecuteAsync("select pg_advisory_xact_lock(@Lock)", new { Lock });
        if (!await connection.QuerySingleAsync<bool>("select exists (select from users where id = @id and status <> 'deleted')", new { id }))
        {
            return UserChange.Unknown;
        }

        var changed = await connection.ExecuteAsync(
            $"update users set {set}, updated_at = @now, updated_by = @UserId where id = @id and status <> 'deleted' and {only}", new { id, now, caller.UserId });
        if (changed == 0)
        {
            return UserChange.AlreadyAssigned;
        }

        if (also is not null)
        {
            await connection.ExecuteAsync(also, new { id, now });
        }

        if (!await connection.QuerySingleAsync<bool>("select exists (select from users where role = 'admin' and status = 'enabled')"))
        {
            return UserChange.LastAdministrator;
        }

        await change.CommitAsync();
        return UserChange.Done;
    }
}

/// <summary>Purges deleted users once an hour when their retention time has passed.</summary>
internal sealed partial class UserPurgeService(
    UserLifecycle lifecycle, Microsoft.Extensions.Options.IOptions<IdentityOptions> options, TimeProvider time, ILogger<UserPurgeService> logger) : BackgroundService
{
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(TimeSpan.FromHours(1), time);
        do
        {
            try
            {
                if (await lifecycle.PurgeAsync(time.GetUtcNow() - options.Value.DeletedUserRetention, stoppingToken) is > 0 and var count)
                {
                    Purged(count);
                }
            }
            catch (Exception exception) when (exception is NpgsqlException or TimeoutException or SocketException)
            {
                NotPurged(exception);
            }
        }
        while (await timer.WaitForNextTickAsync(stoppingToken));
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "Purged {Count} deleted users")]
    private partial void Purged(int count);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Failed to purge deleted users. Retrying in an hour")]
    private partial void NotPurged(Exception exception);
}
