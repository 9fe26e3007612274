using System.Security.Cryptography;
using Cube.Identity.Callers;
using Cube.Identity.Database;
using Cube.Identity.Roles;
using Dapper;
using Npgsql;

namespace Cube.Identity.Domains;

internal sealed class RoleStore(NpgsqlDataSource database, TimeProvider time)
{
    private const string Select =
        """
        select r.id, r.name, r.domain_id as entity_id, r.built_in, r.all_models, r.created_by, r.created_at, r.updated_by, r.updated_at,
               array(select action from role_actions a where a.role_id = r.id order by action) as actions,
               array(select model from role_models o where o.role_id = r.id order by model) as named_models
        from roles r
        """;

    public static string NewId() => $"domain_{RandomNumberGenerator.GetString("0123456789abcdefghijklmnopqrstuvwxyz", 16)}";

    public async Task<IReadOnlyList<Role>> ListAsync(Guid domainId, CancellationToken ct)
    {
        await using var connection = await database.OpenConnectionAsync(ct);
        return (await connection.QueryAsync<Role>(new CommandDefinition(
            $"{Select} where r.domain_id = @domainId order by r.name", new { domainId }, cancellationToken: ct))).AsList();
    }

    public async Task<Role?> FindAsync(Guid domainId, string roleId, CancellationToken ct)
    {
        await using var connection = await database.OpenConnectionAsync(ct);
        return await FindAsync(connection, domainId, roleId);
    }

    public static Task<Role?> FindAsync(NpgsqlConnection connection, Guid domainId, string roleId) =>
        connection.QuerySingleOrDefaultAsync<Role>($"{Select} where r.domain_id = @domainId and r.id = @roleId", new { domainId, roleId });

    /// <returns>The role that the user has in the domain, or null.</returns>
    public static Task<Role?> OfAsync(NpgsqlConnection connection, Guid domainId, Guid userId) => connection.QuerySingleOrDefaultAsync<Role>(
        $"{Select} join role_members m on m.role_id = r.id where m.domain_id = @domainId and m.user_id = @userId", new { domainId, userId });

    public Task<(RoleChange Change, Role? Role)> AddAsync(
        Guid domainId, string name, string[] actions, string[] models, Guid[] members, Caller caller, CancellationToken ct) =>
        ChangeAsync(domainId, null, caller, async (connection, own, _) =>
        {
            if (!own.Covers(actions, models))
            {
                return (RoleChange.ExceedsOwnRole, null);
            }

            var id = NewId();
            var added = await connection.ExecuteAsync(
                """
                insert into roles (id, domain_id, name, all_models, created_by, created_at) values (@id, @domainId, @name, @all, @UserId, @now)
                on conflict (domain_id, name) do nothing
                """,
                new { id, domainId, name, all = models is [RoleModels.All], caller.UserId, now = time.GetUtcNow() });
            if (added == 0)
            {
                return (RoleChange.NameTaken, null);
            }

            await BuiltInRoles.AddActionsAsync(connection, domainId, id, actions);
            await AddModelsAsync(connection, domainId, id, models);
            return await MemberStore.AddAsync(connection, domainId, id, members, time.GetUtcNow()) is var change && change == RoleChange.Done
                ? (RoleChange.Done, id)
                : (change, null);
        }, ct);

    public Task<(RoleChange Change, Role? Role)> RenameAsync(Guid domainId, string roleId, string name, Caller caller, CancellationToken ct) =>
        ChangeAsync(domainId, roleId, caller, async (connection, _, _) =>
        {
            var taken = await connection.QuerySingleAsync<bool>(
                "select exists (select from roles where domain_id = @domainId and name = @name and id <> @roleId)", new { domainId, name, roleId });
            if (!taken)
            {
                await connection.ExecuteAsync("update roles set name = @name where id = @roleId", new { name, roleId });
            }

            return (taken ? RoleChange.NameTaken : RoleChange.Done, roleId);
        }, ct);

    public Task<(RoleChange Change, Role? Role)> DeleteAsync(Guid domainId, string roleId, Caller caller, CancellationToken ct) =>
        ChangeAsync(domainId, roleId, caller, async (connection, _, _) =>
        {
            await connection.ExecuteAsync("delete from roles where id = @roleId", new { roleId });
            return (RoleChange.Done, null);
        }, ct);

    public Task<(RoleChange Change, Role? Role)> AddActionsAsync(Guid domainId, string roleId, string[] actions, Caller caller, CancellationToken ct) =>
        ChangeAsync(domainId, roleId, caller, async (connection, own, role) =>
        {
            if (!own.Covers(actions, []))
            {
                return (RoleChange.ExceedsOwnRole, null);
            }

            await BuiltInRoles.AddActionsAsync(connection, domainId, role!.Id, actions);
            return (RoleChange.Done, role.Id);
        }, ct);

    /// <param name="domainId">The domain.</param>
    /// <param name="roleId">The role.</param>
    /// <param name="actions">Null for all actions.</param>
    /// <param name="caller">The caller.</param>
    /// <param name="ct">Cancels the change.</param>
    public Task<(RoleChange Change, Role? Role)> RemoveActionsAsync(Guid domainId, string roleId, string[]? actions, Caller caller, CancellationToken ct) =>
        ChangeAsync(domainId, roleId, caller, async (connection, _, role) =>
        {
            await connection.ExecuteAsync(
                "delete from role_actions where role_id = @roleId and (@actions::text[] is null or action = any(@actions::text[]))", new { roleId, actions });
            return (RoleChange.Done, roleId);
        }, ct);

    public Task<(RoleChange Change, Role? Role)> SetModelsAsync(Guid domainId, string roleId, string[] models, Caller caller, CancellationToken ct) =>
        ChangeAsync(domainId, roleId, caller, async (connection, own, role) =>
        {
            if (!own.Covers([], models))
            {
                return (RoleChange.ExceedsOwnRole, null);
            }

            await connection.ExecuteAsync("update roles set all_models = @all where id = @roleId", new { all = models is [RoleModels.All], roleId });
            await connection.ExecuteAsync("delete from role_models where role_id = @roleId and not model = any(@models)", new { roleId, models });
            await AddModelsAsync(connection, domainId, roleId, models);
            return (RoleChange.Done, roleId);
        }, ct);

    private static Task AddModelsAsync(NpgsqlConnection connection, Guid domainId, string roleId, string[] models) => models is [RoleModels.All]
        ? Task.CompletedTask
        : connection.ExecuteAsync(
            "insert into role_models (domain_id, role_id, model) select @domainId, @roleId, model from unnest(@models) model on conflict do nothing",
            new { domainId, roleId, models });

    /// <summary>
    /// Runs a change of a domain's roles under a lock of the domain, so that two administrators who remove each other do not both succeed.
    /// The caller cannot change a role that allows more than the caller's own role. The domain keeps its last administrator.
    /// </summary>
    public async Task<(RoleChange Change, Role? Role)> ChangeAsync(
        Guid domainId, string? roleId, Caller caller, Func<NpgsqlConnection, Role, Role?, Task<(RoleChange Change, string? RoleId)>> change, CancellationToken ct)
    {
        await using var transaction = await database.BeginChangeAsync(caller, ct);
        var connection = transaction.Connection;
        await connection.ExecuteAsync(new CommandDefinition("select from domains where id = @domainId for update", new { domainId }, cancellationToken: ct));
        if (await OfAsync(connection, domainId, caller.UserId) is not { } own)
        {
            return (RoleChange.ExceedsOwnRole, null);
        }

        var role = roleId is null ? null : await FindAsync(connection, domainId, roleId);
        if (roleId is not null && role is null)
        {
            return (RoleChange.UnknownRole, null);
        }

        if (role is not null && !own.Covers(role.Actions, role.Models))
        {
            return (RoleChange.ExceedsOwnRole, null);
        }

        var hadAdministrator = await HasAdministratorAsync(connection, domainId);
        var (result, changed) = await change(connection, own, role);
        if (result != RoleChange.Done)
        {
            return (result, null);
        }

        if (hadAdministrator && !await HasAdministratorAsync(connection, domainId))
        {
            return (RoleChange.LastAdministrator, null);
        }

        if (changed is not null && roleId is not null)
        {
            await connection.ExecuteAsync(
                "update roles set updated_by = @UserId, updated_at = @now where id = @changed", new { caller.UserId, now = time.GetUtcNow(), changed });
        }

        var after = changed is null ? null : await FindAsync(connection, domainId, changed);
        await transaction.CommitAsync();
        return (RoleChange.Done, after);
    }

    /// <summary>Whether the domain has an enabled administrator. It loses the last one only when the platform disables or deletes the account.</summary>
    public static Task<bool> HasAdministratorAsync(NpgsqlConnection connection, Guid domainId) => connection.QuerySingleAsync<bool>(
        """
        select exists (select from role_members m join roles r on r.id = m.role_id join users u on u.id = m.user_id
                       where m.domain_id = @domainId and r.built_in and r.name = @Admin and u.status = 'enabled')
        """,
        new { domainId, BuiltInRoles.Admin });
}

internal enum RoleChange
{
    Done,
    UnknownRole,
    UnknownUser,
    NameTaken,

    /// <summary>The caller's role does not cover what the change grants, revokes or affects.</summary>
    ExceedsOwnRole,

    /// <summary>A member has exactly one role, which must be removed before another is assigned.</summary>
    HasAnotherRole,

    /// <summary>The change would remove the domain's last enabled administrator.</summary>
    LastAdministrator,
}
