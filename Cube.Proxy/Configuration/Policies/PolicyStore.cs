using System.Text;
using Cube.Attestation.Policy;
using Cube.Proxy.Database;
using Dapper;
using Npgsql;

namespace Cube.Proxy.Configuration.Policies;

/// <summary>A stored version of a policy.</summary>
internal sealed record PolicyVersion
{
    public required string Scope { get; init; }

    public required int Version { get; init; }

    /// <summary>The stored JSON; empty if it exceeds <see cref="PolicyJson.MaxBytes"/>.</summary>
    public required string Policy { get; init; }

    public required DateTime CreatedAt { get; init; }

    public required string CreatedBy { get; init; }

    public DateTime? ActivatedAt { get; init; }

    public string? ActivatedBy { get; init; }

    public required bool IsActive { get; init; }
}

internal enum ActivationResult
{
    Success,
    NotFound,

    /// <summary>The version is older than the active one and was never active. A rollback is possible only to a version that was active before.</summary>
    NeverActive,
}

/// <summary>The policy versions in the database, which all proxies share. Each scope has at most one active version.</summary>
internal sealed class PolicyStore(ProxyDatabase database)
{
    /// <summary>SQL expression for the stored JSON; null if it exceeds <see cref="PolicyJson.MaxBytes"/>, so that the database does not transfer it.</summary>
    public static readonly string PolicyColumn = $"case when octet_length(policy) <= {PolicyJson.MaxBytes} then policy end";

    /// <summary>Maximum number of versions of a scope. The store deletes the oldest inactive versions above it.</summary>
    public const int MaxVersions = 50;

    private static readonly string Columns = $"scope, version, coalesce({PolicyColumn}, '') as policy, created_at, created_by, activated_at, activated_by, is_active";

    public async Task<IReadOnlyList<PolicyVersion>> ListAsync(string scope, CancellationToken ct)
    {
        await using var connection = await database.Source.OpenConnectionAsync(ct);
        return [.. await connection.QueryAsync<PolicyVersion>(new CommandDefinition(
            $"select {Columns} from attestation_policies where scope = @scope order by version desc", new { scope }, cancellationToken: ct))];
    }

    /// <param name="version">Null for the active version.</param>
    public async Task<PolicyVersion?> FindAsync(string scope, int? version, CancellationToken ct)
    {
        await using var connection = await database.Source.OpenConnectionAsync(ct);
        return await connection.QuerySingleOrDefaultAsync<PolicyVersion>(new CommandDefinition(
            $"select {Columns} from attestation_policies where scope = @scope and case when @version::integer is null then is_active else version = @version end",
            new { scope, version }, cancellationToken: ct));
    }

    /// <summary>Stores a new, inactive version.</summary>
    public async Task<PolicyVersion> StageAsync(string scope, string policy, string user, CancellationToken ct)
    {
        await using var connection = await database.Source.OpenConnectionAsync(ct);
        await using var transaction = await connection.BeginTransactionAsync(ct);
        await LockAsync(connection, scope, ct);
        var staged = await connection.QuerySingleAsync<PolicyVersion>(new CommandDefinition(
            $"""
             insert into attestation_policies (scope, version, policy, created_by)
             select @scope, coalesce(max(version), 0) + 1, @policy, @user from attestation_policies where scope = @scope
             returning {Columns}
             """,
            new { scope, policy, user }, transaction, cancellationToken: ct));
        await DeleteOldVersionsAsync(connection, transaction, scope, ct);
        await transaction.CommitAsync(ct);
        return staged;
    }

    private static Task<int> DeleteOldVersionsAsync(NpgsqlConnection connection, NpgsqlTransaction transaction, string scope, CancellationToken ct) =>
        connection.ExecuteAsync(new CommandDefinition(
            """
            delete from attestation_policies where scope = @scope and not is_active
                and version not in (select version from attestation_policies where scope = @scope order by is_active desc, version desc limit @MaxVersions)
            """,
            new { scope, MaxVersions }, transaction, cancellationToken: ct));

    /// <summary>Activates a version that is newer than the active one, or that was active before.</summary>
    public async Task<ActivationResult> ActivateAsync(string scope, int version, string user, CancellationToken ct)
    {
        await using var connection = await database.Source.OpenConnectionAsync(ct);
        await using var transaction = await connection.BeginTransactionAsync(ct);
        await LockAsync(connection, scope, ct);
        var rows = (await connection.QueryAsync<PolicyVersion>(new CommandDefinition(
            $"select {Columns} from attestation_policies where scope = @scope", new { scope }, transaction, cancellationToken: ct))).ToList();
        if (rows.Find(row => row.Version == version) is not { } policy)
        {
            return ActivationResult.NotFound;
        }

        if (policy.ActivatedAt is null && rows.Find(static row => row.IsActive) is { } active && version < active.Version)
        {
            return ActivationResult.NeverActive;
        }

        await connection.ExecuteAsync(new CommandDefinition(
            "update attestation_policies set is_active = false where scope = @scope and is_active and version <> @version", new { scope, version }, transaction, cancellationToken: ct));
        await connection.ExecuteAsync(new CommandDefinition(
            "update attestation_policies set is_active = true, activated_at = now(), activated_by = @user where scope = @scope and version = @version",
            new { scope, version, user }, transaction, cancellationToken: ct));
        await transaction.CommitAsync(ct);
        return ActivationResult.Success;
    }

    /// <summary>Stores and activates a new version in the caller's transaction. Has no effect if the active version has the same JSON.</summary>
    /// <param name="policy">Null to deactivate the policy.</param>
    public static async Task ReplaceAsync(NpgsqlConnection connection, NpgsqlTransaction transaction, string scope, string? policy, string user, CancellationToken ct)
    {
        await LockAsync(connection, scope, ct);
        var active = await connection.QuerySingleOrDefaultAsync<string>(new CommandDefinition(
            "select policy from attestation_policies where scope = @scope and is_active", new { scope }, transaction, cancellationToken: ct));
        if (active == policy)
        {
            return;
        }

        await connection.ExecuteAsync(new CommandDefinition(
            """
            update attestation_policies set is_active = false where scope = @scope and is_active;
            insert into attestation_policies (scope, version, policy, created_by, activated_at, activated_by, is_active)
            select @scope, coalesce(max(version), 0) + 1, @policy, @user, now(), @user, true from attestation_policies where scope = @scope having @policy::text is not null
            """,
            new { scope, policy, user }, transaction, cancellationToken: ct));
        await DeleteOldVersionsAsync(connection, transaction, scope, ct);
    }

    /// <summary>Deactivates the policy of a domain or route: only the platform policy applies. The platform policy cannot be deactivated.</summary>
    public async Task DeactivateAsync(string scope, CancellationToken ct)
    {
        await using var connection = await database.Source.OpenConnectionAsync(ct);
        await connection.ExecuteAsync(new CommandDefinition(
            "update attestation_policies set is_active = false where scope = @scope and is_active", new { scope }, cancellationToken: ct));
    }

    /// <summary>Stores and activates the platform policy if the platform has no version.</summary>
    public async Task SeedAsync(string policy, CancellationToken ct)
    {
        await using var connection = await database.Source.OpenConnectionAsync(ct);
        await connection.ExecuteAsync(new CommandDefinition(
            """
            insert into attestation_policies (scope, version, policy, created_by, activated_at, activated_by, is_active)
            select @scope, 1, @policy, 'configuration', now(), 'configuration', true
            where not exists (select from attestation_policies where scope = @scope)
            on conflict do nothing
            """,
            new { scope = PolicyScope.Platform, policy }, cancellationToken: ct));
    }

    private static Task<int> LockAsync(NpgsqlConnection connection, string scope, CancellationToken ct) =>
        connection.ExecuteAsync(new CommandDefinition("select pg_advisory_xact_lock(hashtextextended(@scope, 7))", new { scope }, cancellationToken: ct));

    /// <param name="json">The stored JSON; null or empty if it exceeds <see cref="PolicyJson.MaxBytes"/>.</param>
    /// <exception cref="PolicyException">The stored JSON is not a valid policy.</exception>
    public static AttestationPolicy Parse(string? json, bool allowSimulated) => string.IsNullOrEmpty(json)
        ? throw new PolicyException("The stored policy is empty or larger than 256 KiB.")
        : PolicyJson.Parse(Encoding.UTF8.GetBytes(json), allowSimulated);
}
