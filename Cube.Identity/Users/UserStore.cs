using Dapper;
using Npgsql;

namespace Cube.Identity.Users;

internal sealed class UserStore(NpgsqlDataSource database)
{
    private const string Columns =
        """
        id, first_name, last_name, email, username, password_hash, tags, metadata, private_metadata, status, role, profile_picture,
        created_at, updated_at, updated_by, verified_at
        """;

    /// <param name="name">A user name or an e-mail address; a user name cannot hold an <c>@</c>, so only one can match.</param>
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

    /// <returns>False where the e-mail address or the user name is taken.</returns>
    public async Task<bool> AddAsync(User user, CancellationToken ct)
    {
        await using var connection = await database.OpenConnectionAsync(ct);
        try
        {
            await connection.ExecuteAsync(new CommandDefinition(
                $"""
                insert into users ({Columns})
                values (@Id, @FirstName, @LastName, @Email, @Username, @PasswordHash, @Tags, @Metadata::jsonb, @PrivateMetadata::jsonb,
                        @Status, @Role, @ProfilePicture, @CreatedAt, @UpdatedAt, @UpdatedBy, @VerifiedAt)
                """,
                user,
                cancellationToken: ct));
            return true;
        }
        catch (PostgresException exception) when (exception.SqlState == PostgresErrorCodes.UniqueViolation)
        {
            return false;
        }
    }
}
