using Dapper;
using Npgsql;

namespace Cube.Identity.Domains;

internal sealed class RoleStore(NpgsqlDataSource database, TimeProvider time)
{
    public async Task<IReadOnlyList<Role>> ListAsync(Guid domainId, CancellationToken ct)
    {
        await using var connection = await database.OpenConnectionAsync(ct);
        var rows = await connection.QueryAsync<Role>(new CommandDefinition(
            "select id, name, domain_id as entity_id, created_by, created_at from roles where domain_id = @domainId order by name",
            new { domainId },
            cancellationToken: ct));
        return rows.AsList();
    }

    /// <returns>The members' ids, or null where the domain has no such role.</returns>
    public async Task<IReadOnlyList<Guid>?> MembersAsync(Guid domainId, string roleId, CancellationToken ct)
    {
        await using var connection = await database.OpenConnectionAsync(ct);
        var members = (await connection.QueryAsync<Guid?>(new CommandDefinition(
            """
            select m.user_id from roles r left join role_members m on m.role_id = r.id
            where r.domain_id = @domainId and r.id = @roleId order by m.added_at, m.user_id
            """,
            new { domainId, roleId },
            cancellationToken: ct))).AsList();
        return members.Count == 0 ? null : [.. members.OfType<Guid>()];
    }

    public Task<MembershipChange> AddAsync(Guid domainId, string roleId, Guid[] users, CancellationToken ct) =>
        ChangeAsync(domainId, roleId, async (connection, transaction, _) =>
        {
            var known = await connection.QuerySingleAsync<long>(
                "select count(*) from users where id = any(@users) and status <> 'deleted'", new { users }, transaction);
            if (known != users.Length)
            {
                return MembershipChange.UnknownUser;
            }

            var elsewhere = await connection.QuerySingleAsync<bool>(
                "select exists (select from role_members where domain_id = @domainId and user_id = any(@users) and role_id <> @roleId)",
                new { domainId, users, roleId },
                transaction);
            if (elsewhere)
            {
                return MembershipChange.HasAnotherRole;
            }

            await connection.ExecuteAsync(
                """
                insert into role_members (domain_id, user_id, role_id, added_at)
                select @domainId, id, @roleId, @now from unnest(@users) id on conflict do nothing
                """,
                new { domainId, users, roleId, now = time.GetUtcNow() },
                transaction);
            return MembershipChange.Done;
        }, ct);

    public Task<MembershipChange> RemoveAsync(Guid domainId, string roleId, Guid[] users, CancellationToken ct) =>
        ChangeAsync(domainId, roleId, async (connection, transaction, role) =>
        {
            await connection.ExecuteAsync(
                "delete from role_members where domain_id = @domainId and role_id = @roleId and user_id = any(@users)",
                new { domainId, roleId, users },
                transaction);
            var left = await connection.QuerySingleAsync<bool>(
                "select exists (select from role_members where role_id = @roleId)", new { roleId }, transaction);
            return role == BuiltInRoles.Admin && !left ? MembershipChange.LastAdministrator : MembershipChange.Done;
        }, ct);

    /// <summary>One change of a domain's members at a time: two administrators who remove each other must not both succeed.</summary>
    private async Task<MembershipChange> ChangeAsync(
        Guid domainId, string roleId, Func<NpgsqlConnection, NpgsqlTransaction, string, Task<MembershipChange>> change, CancellationToken ct)
    {
        await using var connection = await database.OpenConnectionAsync(ct);
        await using var transaction = await connection.BeginTransactionAsync(ct);
        await connection.ExecuteAsync("select from domains where id = @domainId for update", new { domainId }, transaction);
        var role = await connection.QuerySingleOrDefaultAsync<string>(
            "select name from roles where domain_id = @domainId and id = @roleId", new { domainId, roleId }, transaction);
        if (role is null)
        {
            return MembershipChange.UnknownRole;
        }

        var result = await change(connection, transaction, role);
        if (result == MembershipChange.Done)
        {
            await transaction.CommitAsync(ct);
        }

        return result;
    }
}

internal enum MembershipChange
{
    Done,
    UnknownRole,
    UnknownUser,

    /// <summary>A member holds exactly one role: it must be taken away before another is given.</summary>
    HasAnotherRole,

    /// <summary>A domain never is without an administrator.</summary>
    LastAdministrator,
}
