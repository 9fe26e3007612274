using Cube.Identity.Callers;
using Cube.Identity.Database;
using Dapper;
using Npgsql;

namespace Cube.Identity.Users;

internal sealed class UserStore(NpgsqlDataSource database, TimeProvider time)
{
    private const string Columns =
        """
        id, first_name, last_name, email, username, password_hash, tags, metadata, private_metadata, status, role, profile_picture,
        created_at, updated_at, updated_by, verified_at
        """;

    /// <param name="name">A user name or an e-mail address. A user name cannot contain <c>@</c>, so at most one account matches.</param>
    /// <param name="ct">Cancels the query.</param>
    public async Task<User?> FindByNameAsync(string name, CancellationToken ct)
    {
        await using var connection = await database.OpenConnectionAsync(ct);
        return await connection.QuerySingleOrDefaultAsync<User>(new CommandDefinition(
            $"select {Columns} from users where (lower(username) = lower(@name) or lower(email) = lower(@name)) and status <> 'deleted'",
            new { name },
            cancellationToken: ct));
    }

    public async Task<User?> FindAsync(Guid id, CancellationToken ct)
    {
        await using var connection = await database.OpenConnectionAsync(ct);
        return await connection.QuerySingleOrDefaultAsync<User>(new CommandDefinition(
            $"select {Columns} from users where id = @id and status <> 'deleted'", new { id }, cancellationToken: ct));
    }

    public async Task<bool> HasAdministratorAsync(CancellationToken ct)
    {
        await using var connection = await database.OpenConnectionAsync(ct);
        return await connection.QuerySingleAsync<bool>(new CommandDefinition(
            "select exists (select from users where role = 'admin' and status = 'enabled')", cancellationToken: ct));
    }

    public async Task<(long Total, IEnumerable<User> Users)> ListAsync(UserFilter filter, CancellationToken ct)
    {
        const string where =
            """
            (@Status = 'all' or status = @Status) and (@Id::uuid is null or id = @Id::uuid)
            and (@Username is null or position(lower(@Username) in lower(username)) > 0)
            and (@Email is null or lower(email) = lower(@Email))
            and (@FirstName is null or position(lower(@FirstName) in lower(first_name)) > 0)
            and (@LastName is null or position(lower(@LastName) in lower(last_name)) > 0)
            and (@Metadata is null or metadata @> @Metadata::jsonb)
            and (@Tags::text[] is null or tags && @Tags::text[]) and (@AllTags::text[] is null or tags @> @AllTags::text[])
            """;
        await using var connection = await database.OpenConnectionAsync(ct);
        var total = await connection.QuerySingleAsync<long>(new CommandDefinition($"select count(*) from users where {where}", filter, cancellationToken: ct));
        return (total, await connection.QueryAsync<User>(new CommandDefinition(
            $"select {Columns} from users where {where} order by {filter.Order} {filter.Direction}, id offset @From limit @Count", filter, cancellationToken: ct)));
    }

    /// <returns>False when the e-mail address or the user name is already in use.</returns>
    public async Task<bool> AddAsync(User user, Guid? actor, CancellationToken ct)
    {
        await using var change = await database.BeginChangeAsync(actor, ct);
        try
        {
            await change.Connection.ExecuteAsync(
                $"""
                insert into users ({Columns})
                values (@Id, @FirstName, @LastName, @Email, @Username, @PasswordHash, @Tags, @Metadata::jsonb, @PrivateMetadata::jsonb,
                        @Status, @Role, @ProfilePicture, @CreatedAt, @UpdatedAt, @UpdatedBy, @VerifiedAt)
                """,
                user);
        }
        catch (PostgresException exception) when (exception.SqlState == PostgresErrorCodes.UniqueViolation)
        {
            return false;
        }

        await change.CommitAsync();
        return true;
    }

    /// <summary>Updates the profile of an account. A null property keeps its stored value.</summary>
    public async Task<(UserChange Change, User? User)> UpdateAsync(Guid id, UserUpdate update, Caller caller, CancellationToken ct)
    {
        await using var change = await database.BeginChangeAsync(caller, ct);
        try
        {
            var user = await change.Connection.QuerySingleOrDefaultAsync<User>(
                $"""
                update users set first_name = coalesce(@FirstName, first_name), last_name = coalesce(@LastName, last_name),
                    username = coalesce(@Username, username), email = coalesce(@Email, email), tags = coalesce(@Tags::text[], tags),
                    metadata = coalesce(@Metadata::jsonb, metadata), private_metadata = coalesce(@PrivateMetadata::jsonb, private_metadata),
                    profile_picture = coalesce(@ProfilePicture, profile_picture), updated_at = @now, updated_by = @UserId
                where id = @id and status <> 'deleted' returning {Columns}
                """,
                new
                {
                    id, update.FirstName, update.LastName, update.Username, update.Email, update.Tags, update.Metadata, update.PrivateMetadata,
                    update.ProfilePicture, caller.UserId, now = time.GetUtcNow(),
                });
            if (update.Email is not null)
            {
                // Revokes mail tokens for the old address and for pending address changes.
                await change.Connection.ExecuteAsync("delete from mail_tokens where user_id = @id", new { id });
            }

            await change.CommitAsync();
            return (user is null ? UserChange.Unknown : UserChange.Done, user);
        }
        catch (PostgresException exception) when (exception.SqlState == PostgresErrorCodes.UniqueViolation)
        {
            return (UserChange.Taken, null);
        }
    }

    /// <summary>Sets the password, ends the user's other sessions and revokes mail tokens. Personal access tokens stay valid.</summary>
    public async Task SetPasswordAsync(Guid id, string hash, Caller caller, CancellationToken ct)
    {
        await using var change = await database.BeginChangeAsync(caller, ct);
        await SetPasswordAsync(change.Connection, id, hash, caller.SessionId, endsTokens: false, time.GetUtcNow());
        await change.CommitAsync();
    }

    /// <param name="connection">The connection of an open change.</param>
    /// <param name="id">The user.</param>
    /// <param name="hash">The hash of the new password.</param>
    /// <param name="kept">The session that stays active.</param>
    /// <param name="endsTokens">Whether to revoke personal access tokens too.</param>
    /// <param name="now">The time of the change.</param>
    public static Task SetPasswordAsync(NpgsqlConnection connection, Guid id, string hash, Guid kept, bool endsTokens, DateTimeOffset now) => connection.ExecuteAsync(
        """
        update users set password_hash = @hash, password_changed_at = @now, updated_at = @now, updated_by = @id where id = @id;
        update sessions set revoked_at = @now where user_id = @id and id <> @kept and revoked_at is null;
        update pats set revoked_at = @now, updated_at = @now where user_id = @id and @endsTokens and revoked_at is null;
        delete from mail_tokens where user_id = @id
        """,
        new { id, hash, kept, endsTokens, now });
}

/// <summary>The changes of a profile.</summary>
internal sealed record UserUpdate
{
    public string? FirstName { get; init; }
    public string? LastName { get; init; }
    public string? Username { get; init; }
    public string? Email { get; init; }
    public string[]? Tags { get; init; }
    public string? Metadata { get; init; }
    public string? PrivateMetadata { get; init; }
    public string? ProfilePicture { get; init; }
}

internal enum UserChange
{
    Done,
    Unknown,
    Taken,

    /// <summary>The account already has the status or role.</summary>
    AlreadyAssigned,

    /// <summary>The platform would have no enabled administrator left.</summary>
    LastAdministrator,
}
