using Cube.Identity.Callers;
using Cube.Identity.Database;
using Cube.Identity.Roles;
using Dapper;
using Npgsql;

namespace Cube.Identity.Domains;

internal sealed class DomainStore(NpgsqlDataSource database, TimeProvider time)
{
    private const string Select =
        """
        select d.id, d.name, d.route, d.tags, d.metadata, d.status, d.created_by, d.created_at, d.updated_by, d.updated_at,
               m.user_id as member_id, r.id as role_id, r.name as role_name,
               case when r.id is not null then array(select action from role_actions where role_id = r.id order by action) end as actions
        from domains d
        left join role_members m on m.domain_id = d.id and m.user_id = @userId
        left join roles r on r.id = m.role_id
        """;

    /// <param name="domain">The new domain.</param>
    /// <param name="userId">The user who creates the domain and becomes its administrator.</param>
    /// <param name="limit">The most domains, not counting deleted ones, that this user may have created; null for no limit.</param>
    /// <param name="ct">Cancels the change.</param>
    public async Task<(DomainChange Change, Domain? Domain)> AddAsync(NewDomain domain, Guid userId, int? limit, CancellationToken ct)
    {
        var (id, now) = (Guid.NewGuid(), time.GetUtcNow());
        await using (var change = await database.BeginChangeAsync(userId, ct))
        {
            // The row lock serializes creations by one user, so that concurrent requests cannot exceed the limit.
            await change.Connection.ExecuteAsync("select from users where id = @userId for no key update", new { userId });
            if (limit <= await change.Connection.QuerySingleAsync<long>(
                "select count(*) from domains where created_by = @userId and status <> 'deleted'", new { userId }))
            {
                return (DomainChange.TooMany, null);
            }

            try
            {
                await change.Connection.ExecuteAsync(
                    """
                    insert into domains (id, name, route, tags, metadata, created_by, created_at, updated_at)
                    values (@id, @Name, @Route, @Tags, @Metadata::jsonb, @userId, @now, @now)
                    """,
                    new { id, domain.Name, domain.Route, domain.Tags, domain.Metadata, userId, now });
            }
            catch (PostgresException exception) when (exception.SqlState == PostgresErrorCodes.UniqueViolation)
            {
                return (DomainChange.RouteTaken, null);
            }

            foreach (var (name, actions) in BuiltInRoles.Actions)
            {
                var roleId = RoleStore.NewId();
                await change.Connection.ExecuteAsync(
                    "insert into roles (id, domain_id, name, built_in, created_by, created_at) values (@roleId, @id, @name, true, @userId, @now)",
                    new { roleId, id, name, userId, now });
                await BuiltInRoles.AddActionsAsync(change.Connection, id, roleId, actions);
                if (name == BuiltInRoles.Admin)
                {
                    await change.Connection.ExecuteAsync(
                        "insert into role_members (domain_id, user_id, role_id, added_at) values (@id, @userId, @roleId, @now)",
                        new { id, userId, roleId, now });
                }
            }

            await change.CommitAsync();
        }

        return (DomainChange.Done, await FindAsync(id, userId, ct));
    }

    /// <summary>Makes a user the administrator of a domain that has no enabled administrator. Replaces the user's present role in the domain.</summary>
    public async Task<DomainChange> SetAdministratorAsync(Guid id, Guid userId, Caller caller, CancellationToken ct)
    {
        await using var change = await database.BeginChangeAsync(caller, ct);
        var connection = change.Connection;
        var status = await connection.QuerySingleOrDefaultAsync<string>("select status from domains where id = @id for update", new { id });
        if (status is null or DomainStatus.Deleted)
        {
            return DomainChange.UnknownDomain;
        }

        if (await RoleStore.HasAdministratorAsync(connection, id))
        {
            return DomainChange.HasAdministrator;
        }

        // The lock prevents that the user is disabled or deleted before the commit.
        if (await connection.QuerySingleOrDefaultAsync<string>("select status from users where id = @userId for share", new { userId }) != "enabled")
        {
            return DomainChange.UnknownUser;
        }

        await connection.ExecuteAsync(
            """
            delete from role_members where domain_id = @id and user_id = @userId;
            insert into role_members (domain_id, user_id, role_id, added_at)
            select @id, @userId, r.id, @now from roles r where r.domain_id = @id and r.built_in and r.name = @Admin
            """,
            new { id, userId, BuiltInRoles.Admin, now = time.GetUtcNow() });
        await change.CommitAsync();
        return DomainChange.Done;
    }

    public async Task<Domain?> FindAsync(Guid id, Guid userId, CancellationToken ct)
    {
        await using var connection = await database.OpenConnectionAsync(ct);
        return await connection.QuerySingleOrDefaultAsync<Domain>(new CommandDefinition(
            $"{Select} where d.id = @id and d.status <> 'deleted'", new { id, userId }, cancellationToken: ct));
    }

    /// <returns>The status of the domain and whether it has the role, or null when the domain does not exist.</returns>
    public async Task<(string Status, bool HasRole)?> FindStatusAsync(Guid id, string? roleId, CancellationToken ct)
    {
        await using var connection = await database.OpenConnectionAsync(ct);
        return await connection.QuerySingleOrDefaultAsync<(string, bool)?>(new CommandDefinition(
            "select status, exists (select from roles where domain_id = @id and id = @roleId) from domains where id = @id and status <> 'deleted'",
            new { id, roleId },
            cancellationToken: ct));
    }

    public async Task<(long Total, IEnumerable<Domain> Domains)> ListAsync(DomainFilter filter, Guid userId, bool all, CancellationToken ct)
    {
        const string where =
            """
             where d.status <> 'deleted' and (@Status = 'all' or d.status = @Status) and (@all or m.user_id is not null)
               and (@Name is null or position(lower(@Name) in lower(d.name)) > 0)
               and (@Route is null or lower(d.route) = lower(@Route))
               and (@Id::uuid is null or d.id = @Id::uuid)
               and (@RoleId is null or r.id = @RoleId)
               and (@RoleName is null or r.name = @RoleName)
               and (@Tags::text[] is null or d.tags && @Tags::text[])
               and (@AllTags::text[] is null or d.tags @> @AllTags::text[])
               and (@Metadata is null or d.metadata @> @Metadata::jsonb)
               and (@Action is null or exists (select from role_actions a where a.role_id = r.id and a.action = @Action))
            """;
        var arguments = new
        {
            filter.Status, filter.Name, filter.Route, filter.Id, filter.RoleId, filter.RoleName, filter.Tags, filter.AllTags, filter.Metadata, filter.Action,
            filter.Offset, filter.Limit, userId, all,
        };
        await using var connection = await database.OpenConnectionAsync(ct);
        var total = await connection.QuerySingleAsync<long>(new CommandDefinition(
            $"select count(*) from ({Select}{where}) found", arguments, cancellationToken: ct));
        var page = await connection.QueryAsync<Domain>(new CommandDefinition(
            $"{Select}{where} order by d.{filter.Order} {filter.Direction}, d.id offset @Offset limit @Limit", arguments, cancellationToken: ct));
        return (total, page);
    }

    public async Task<Domain?> UpdateAsync(Guid id, string? name, string[]? tags, string? metadata, Caller caller, CancellationToken ct)
    {
        await using (var change = await database.BeginChangeAsync(caller, ct))
        {
            await change.Connection.ExecuteAsync(
                """
                update domains set name = coalesce(@name, name), tags = coalesce(@tags, tags), metadata = coalesce(@metadata::jsonb, metadata),
                                   updated_by = @UserId, updated_at = @now
                where id = @id and status <> 'deleted'
                """,
                new { id, name, tags, metadata, caller.UserId, now = time.GetUtcNow() });
            await change.CommitAsync();
        }

        return await FindAsync(id, caller.UserId, ct);
    }

    /// <returns>False when the domain already has the status.</returns>
    public async Task<bool> ChangeStatusAsync(Guid id, string status, Caller caller, CancellationToken ct)
    {
        await using var change = await database.BeginChangeAsync(caller, ct);
        var changed = await change.Connection.ExecuteAsync(
            "update domains set status = @status, updated_by = @UserId, updated_at = @now where id = @id and status not in ('deleted', @status)",
            new { id, status, caller.UserId, now = time.GetUtcNow() });
        await change.CommitAsync();
        return changed > 0;
    }

    /// <summary>Deletes the roles with their memberships and the token scopes. The row and the journal events stay; the route becomes available.</summary>
    public async Task DeleteAsync(Guid id, Caller caller, CancellationToken ct)
    {
        await using var change = await database.BeginChangeAsync(caller, ct);
        await change.Connection.ExecuteAsync("delete from roles where domain_id = @id", new { id });
        await change.Connection.ExecuteAsync("delete from pat_scopes where domain_id = @id", new { id });
        await change.Connection.ExecuteAsync(
            "update domains set status = 'deleted', updated_by = @UserId, updated_at = @now where id = @id", new { id, caller.UserId, now = time.GetUtcNow() });
        await change.CommitAsync();
    }
}

internal enum DomainChange
{
    Done,
    RouteTaken,

    /// <summary>The user has reached the limit of created domains.</summary>
    TooMany,
    UnknownDomain,
    UnknownUser,

    /// <summary>The domain has an enabled administrator, so only the domain manages its members.</summary>
    HasAdministrator,
}
