using Cube.Identity.Api;
using Cube.Identity.Callers;
using Cube.Identity.Users;
using Dapper;
using Npgsql;

namespace Cube.Identity.Domains;

/// <summary>The members of domains and their roles.</summary>
internal sealed class MemberStore(NpgsqlDataSource database, RoleStore roles, TimeProvider time)
{
    /// <returns>The user ids of the members.</returns>
    public async Task<(long Total, IEnumerable<Guid> Members)> OfRoleAsync(string roleId, Paging paging, CancellationToken ct)
    {
        await using var connection = await database.OpenConnectionAsync(ct);
        var total = await connection.QuerySingleAsync<long>(new CommandDefinition(
            "select count(*) from role_members where role_id = @roleId", new { roleId }, cancellationToken: ct));
        return (total, await connection.QueryAsync<Guid>(new CommandDefinition(
            "select user_id from role_members where role_id = @roleId order by added_at, user_id offset @From limit @Count",
            new { roleId, paging.From, paging.Count },
            cancellationToken: ct)));
    }

    public async Task<(long Total, IEnumerable<MemberRow> Members)> OfDomainAsync(Guid domainId, Paging paging, CancellationToken ct)
    {
        await using var connection = await database.OpenConnectionAsync(ct);
        var total = await connection.QuerySingleAsync<long>(new CommandDefinition(
            "select count(*) from role_members where domain_id = @domainId", new { domainId }, cancellationToken: ct));
        return (total, await connection.QueryAsync<MemberRow>(new CommandDefinition(
            """
            select m.user_id, r.id as role_id, r.name as role_name, array(select action from role_actions a where a.role_id = r.id order by action) as actions
            from role_members m join roles r on r.id = m.role_id
            where m.domain_id = @domainId order by m.added_at, m.user_id offset @From limit @Count
            """,
            new { domainId, paging.From, paging.Count },
            cancellationToken: ct)));
    }

    public async Task<(long Total, IEnumerable<User> Users)> UsersAsync(Guid domainId, Paging paging, CancellationToken ct)
    {
        await using var connection = await database.OpenConnectionAsync(ct);
        var total = await connection.QuerySingleAsync<long>(new CommandDefinition(
            "select count(*) from role_members where domain_id = @domainId", new { domainId }, cancellationToken: ct));
        return (total, await connection.QueryAsync<User>(new CommandDefinition(
            """
            select u.id, u.first_name, u.last_name, u.username, u.metadata from role_members m join users u on u.id = m.user_id
            where m.domain_id = @domainId order by m.added_at, m.user_id offset @From limit @Count
            """,
            new { domainId, paging.From, paging.Count },
            cancellationToken: ct)));
    }

    public async Task<RoleChange> AddAsync(Guid domainId, string roleId, Guid[] users, Caller caller, CancellationToken ct) =>
        (await roles.ChangeAsync(
            domainId, roleId, caller,
            async (connection, _, _) => (await AddAsync(connection, domainId, roleId, users, time.GetUtcNow()), roleId),
            ct)).Change;

    /// <param name="domainId">The domain.</param>
    /// <param name="roleId">The role.</param>
    /// <param name="users">Null for all members.</param>
    /// <param name="caller">The caller.</param>
    /// <param name="ct">Cancels the change.</param>
    public async Task<RoleChange> RemoveAsync(Guid domainId, string roleId, Guid[]? users, Caller caller, CancellationToken ct) =>
        (await roles.ChangeAsync(domainId, roleId, caller, async (connection, _, _) =>
        {
            await connection.ExecuteAsync(
                "delete from role_members where role_id = @roleId and (@users::uuid[] is null or user_id = any(@users::uuid[]))", new { roleId, users });
            return (RoleChange.Done, roleId);
        }, ct)).Change;

    /// <summary>Removes users from the domain, whatever role they have.</summary>
    public async Task<RoleChange> RemoveFromDomainAsync(Guid domainId, Guid[] users, Caller caller, CancellationToken ct) =>
        (await roles.ChangeAsync(domainId, null, caller, async (connection, own, _) =>
        {
            foreach (var user in users)
            {
                if (await RoleStore.OfAsync(connection, domainId, user) is { } role && !own.Covers(role.Actions, role.Models))
                {
                    return (RoleChange.ExceedsOwnRole, null);
                }
            }

            await connection.ExecuteAsync("delete from role_members where domain_id = @domainId and user_id = any(@users)", new { domainId, users });
            return (RoleChange.Done, null);
        }, ct)).Change;

    /// <summary>Adds members within an open change of the domain's roles.</summary>
    public static async Task<RoleChange> AddAsync(NpgsqlConnection connection, Guid domainId, string roleId, Guid[] users, DateTimeOffset now)
    {
        var known = await connection.QuerySingleAsync<long>("select count(*) from users where id = any(@users) and status <> 'deleted'", new { users });
        if (known != users.Length)
        {
            return RoleChange.UnknownUser;
        }

        var elsewhere = await connection.QuerySingleAsync<bool>(
            "select exists (select from role_members where domain_id = @domainId and user_id = any(@users) and role_id <> @roleId)",
            new { domainId, users, roleId });
        if (elsewhere)
        {
            return RoleChange.HasAnotherRole;
        }

        await connection.ExecuteAsync(
            "insert into role_members (domain_id, user_id, role_id, added_at) select @domainId, id, @roleId, @now from unnest(@users) id on conflict do nothing",
            new { domainId, users, roleId, now });
        return RoleChange.Done;
    }
}

internal sealed class MemberRow
{
    public Guid UserId { get; init; }
    public string RoleId { get; init; } = "";
    public string RoleName { get; init; } = "";
    public string[] Actions { get; init; } = [];
}
