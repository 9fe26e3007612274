using System.Security.Cryptography;
using Dapper;
using Npgsql;

namespace Cube.Identity.Domains;

internal sealed class DomainStore(NpgsqlDataSource database, TimeProvider time)
{
    private const string Select =
        """
        select d.id, d.name, d.route, d.tags, d.metadata, d.status, d.created_by, d.created_at, d.updated_by, d.updated_at,
               m.user_id as member_id, r.id as role_id, r.name as role_name
        from domains d
        left join role_members m on m.domain_id = d.id and m.user_id = @userId
        left join roles r on r.id = m.role_id
        """;

    /// <returns>The domain with its maker as the administrator, or null where the route is taken.</returns>
    public async Task<Domain?> AddAsync(NewDomain domain, Guid userId, CancellationToken ct)
    {
        var (id, now) = (Guid.NewGuid(), time.GetUtcNow());
        await using var connection = await database.OpenConnectionAsync(ct);
        await using var transaction = await connection.BeginTransactionAsync(ct);
        try
        {
            await connection.ExecuteAsync(
                """
                insert into domains (id, name, route, tags, metadata, created_by, created_at, updated_at)
                values (@id, @Name, @Route, @Tags, @Metadata::jsonb, @userId, @now, @now)
                """,
                new { id, domain.Name, domain.Route, domain.Tags, domain.Metadata, userId, now },
                transaction);
        }
        catch (PostgresException exception) when (exception.SqlState == PostgresErrorCodes.UniqueViolation)
        {
            return null;
        }

        var admin = NewRoleId();
        await connection.ExecuteAsync(
            "insert into roles (id, domain_id, name, created_by, created_at) values (@RoleId, @id, @Name, @userId, @now)",
            new object[]
            {
                new { RoleId = admin, id, Name = BuiltInRoles.Admin, userId, now },
                new { RoleId = NewRoleId(), id, Name = BuiltInRoles.Member, userId, now },
            },
            transaction);
        await connection.ExecuteAsync(
            "insert into role_members (domain_id, user_id, role_id, added_at) values (@id, @userId, @admin, @now)",
            new { id, userId, admin, now },
            transaction);
        await transaction.CommitAsync(ct);
        return await FindAsync(id, userId, ct);
    }

    public async Task<Domain?> FindAsync(Guid id, Guid userId, CancellationToken ct)
    {
        await using var connection = await database.OpenConnectionAsync(ct);
        return await connection.QuerySingleOrDefaultAsync<Domain>(new CommandDefinition(
            $"{Select} where d.id = @id and d.status <> 'deleted'", new { id, userId }, cancellationToken: ct));
    }

    public async Task<(long Total, IEnumerable<Domain> Domains)> ListAsync(DomainFilter filter, Guid userId, bool all, CancellationToken ct)
    {
        const string where =
            """
             where d.status <> 'deleted' and (@Status = 'all' or d.status = @Status) and (@all or m.user_id is not null)
               and (@Name is null or position(lower(@Name) in lower(d.name)) > 0)
            """;
        var arguments = new { filter.Status, filter.Name, filter.Offset, filter.Limit, userId, all };
        await using var connection = await database.OpenConnectionAsync(ct);
        var total = await connection.QuerySingleAsync<long>(new CommandDefinition(
            $"select count(*) from ({Select}{where}) found", arguments, cancellationToken: ct));
        var page = await connection.QueryAsync<Domain>(new CommandDefinition(
            $"{Select}{where} order by d.{filter.Order} {filter.Direction}, d.id offset @Offset limit @Limit", arguments, cancellationToken: ct));
        return (total, page);
    }

    public async Task<Domain?> UpdateAsync(Guid id, string? name, string[]? tags, string? metadata, Guid userId, CancellationToken ct)
    {
        await using var connection = await database.OpenConnectionAsync(ct);
        await connection.ExecuteAsync(new CommandDefinition(
            """
            update domains set name = coalesce(@name, name), tags = coalesce(@tags, tags), metadata = coalesce(@metadata::jsonb, metadata),
                               updated_by = @userId, updated_at = @now
            where id = @id
            """,
            new { id, name, tags, metadata, userId, now = time.GetUtcNow() },
            cancellationToken: ct));
        return await FindAsync(id, userId, ct);
    }

    private static string NewRoleId() => $"domain_{RandomNumberGenerator.GetString("0123456789abcdefghijklmnopqrstuvwxyz", 16)}";
}

/// <param name="Order">A column out of <see cref="Orders"/>: it goes into the query as text.</param>
internal sealed record DomainFilter(int Offset, int Limit, string Status, string? Name, string Order, string Direction)
{
    public static readonly string[] Orders = ["updated_at", "created_at", "name"];

    public static readonly string[] Statuses = ["enabled", "disabled", "freezed", "all"];

    /// <returns>The filter, or what is wrong with the query.</returns>
    public static (DomainFilter? Filter, string? Fault) Parse(int? offset, int? limit, string? status, string? name, string? order, string? dir) =>
        (offset ?? 0, limit ?? 10, status ?? "enabled", order ?? "updated_at", dir ?? "desc") switch
        {
            ( < 0, _, _, _, _) => (null, "offset must not be negative."),
            (_, < 1 or > 100, _, _, _) => (null, "limit must be 1 to 100."),
            (_, _, var s, _, _) when !Statuses.Contains(s) => (null, "status must be enabled, disabled, freezed or all."),
            (_, _, _, var o, _) when !Orders.Contains(o) => (null, "order must be updated_at, created_at or name."),
            (_, _, _, _, not ("asc" or "desc")) => (null, "dir must be asc or desc."),
            var (o, l, s, by, d) => (new DomainFilter(o, l, s, name, by, d), null),
        };
}
