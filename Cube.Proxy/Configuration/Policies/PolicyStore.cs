using Cube.Attestation.Policy;
using Cube.Proxy.Database;
using Dapper;
using Npgsql;

namespace Cube.Proxy.Configuration.Policies;

/// <summary>A version as it is kept.</summary>
internal sealed record PolicyVersion
{
    public required string Scope { get; init; }

    public required int Version { get; init; }

    /// <summary>The very text that was written; empty where that is too long to be a policy.</summary>
    public required string Policy { get; init; }

    public required DateTime CreatedAt { get; init; }

    public required string CreatedBy { get; init; }

    public DateTime? ActivatedAt { get; init; }

    public string? ActivatedBy { get; init; }

    public required bool IsActive { get; init; }
}

internal enum Activation
{
    Done,
    NotFound,

    /// <summary>It is older than what is in force and was never in force itself: that would be no rollback but a detour around review.</summary>
    NeverActive,
}

/// <summary>Versions of policies in the database of the proxies.</summary>
internal sealed class PolicyStore(ProxyDatabase database)
{
    /// <summary>What is longer than a policy may be is not transferred: it is none.</summary>
    public static readonly string Text = $"case when octet_length(policy) <= {PolicyJson.MaxBytes} then policy end";

    /// <summary>Of one scope. Beyond it the oldest versions that are not in force are removed.</summary>
    public const int MaxVersions = 50;

    private static readonly string Columns = $"scope, version, coalesce({Text}, '') as policy, created_at, created_by, activated_at, activated_by, is_active";

    public async Task<IReadOnlyList<PolicyVersion>> ListAsync(string scope, CancellationToken ct)
    {
        await using var connection = await database.Source.OpenConnectionAsync(ct);
        return [.. await connection.QueryAsync<PolicyVersion>(new CommandDefinition(
            $"select {Columns} from attestation_policies where scope = @scope order by version desc", new { scope }, cancellationToken: ct))];
    }

    public async Task<PolicyVersion?> FindAsync(string scope, int? version, CancellationToken ct)
    {
        await using var connection = await database.Source.OpenConnectionAsync(ct);
        return await connection.QuerySingleOrDefaultAsync<PolicyVersion>(new CommandDefinition(
            $"select {Columns} from attestation_policies where scope = @scope and case when @version::integer is null then is_active else version = @version end",
            new { scope, version }, cancellationToken: ct));
    }

    /// <summary>Writes a version. It is not in force.</summary>
    public async Task<PolicyVersion> StageAsync(string scope, string policy, string by, CancellationToken ct)
    {
        await using var connection = await database.Source.OpenConnectionAsync(ct);
        await using var transaction = await connection.BeginTransactionAsync(ct);
        await LockAsync(connection, scope, ct);
        var staged = await connection.QuerySingleAsync<PolicyVersion>(new CommandDefinition(
            $"""
             insert into attestation_policies (scope, version, policy, created_by)
             select @scope, coalesce(max(version), 0) + 1, @policy, @by from attestation_policies where scope = @scope
             returning {Columns}
             """,
            new { scope, policy, by }, transaction, cancellationToken: ct));
        await TrimAsync(connection, transaction, scope, ct);
        await transaction.CommitAsync(ct);
        return staged;
    }

    private static Task<int> TrimAsync(NpgsqlConnection connection, NpgsqlTransaction transaction, string scope, CancellationToken ct) =>
        connection.ExecuteAsync(new CommandDefinition(
            """
            delete from attestation_policies where scope = @scope and not is_active
                and version not in (select version from attestation_policies where scope = @scope order by is_active desc, version desc limit @MaxVersions)
            """,
            new { scope, MaxVersions }, transaction, cancellationToken: ct));

    /// <summary>Puts a version in force: a newer one than the one in force, or one that was in force before.</summary>
    public async Task<Activation> ActivateAsync(string scope, int version, string by, CancellationToken ct)
    {
        await using var connection = await database.Source.OpenConnectionAsync(ct);
        await using var transaction = await connection.BeginTransactionAsync(ct);
        await LockAsync(connection, scope, ct);
        var rows = (await connection.QueryAsync<PolicyVersion>(new CommandDefinition(
            $"select {Columns} from attestation_policies where scope = @scope", new { scope }, transaction, cancellationToken: ct))).ToList();
        if (rows.Find(row => row.Version == version) is not { } wanted)
        {
            return Activation.NotFound;
        }

        if (wanted.ActivatedAt is null && rows.Find(static row => row.IsActive) is { } active && version < active.Version)
        {
            return Activation.NeverActive;
        }

        await connection.ExecuteAsync(new CommandDefinition(
            "update attestation_policies set is_active = false where scope = @scope and is_active and version <> @version", new { scope, version }, transaction, cancellationToken: ct));
        await connection.ExecuteAsync(new CommandDefinition(
            "update attestation_policies set is_active = true, activated_at = now(), activated_by = @by where scope = @scope and version = @version",
            new { scope, version, by }, transaction, cancellationToken: ct));
        await transaction.CommitAsync(ct);
        return Activation.Done;
    }

    /// <summary>Puts a new version in force at once, or with null none; within the caller's transaction. Nothing happens where it is in force already.</summary>
    public static async Task ReplaceAsync(NpgsqlConnection connection, NpgsqlTransaction transaction, string scope, string? policy, string by, CancellationToken ct)
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
            select @scope, coalesce(max(version), 0) + 1, @policy, @by, now(), @by, true from attestation_policies where scope = @scope having @policy::text is not null
            """,
            new { scope, policy, by }, transaction, cancellationToken: ct));
        await TrimAsync(connection, transaction, scope, ct);
    }

    /// <summary>A domain without a policy of its own has the platform's. Only a domain's or a route's can be taken out of force.</summary>
    public async Task DeactivateAsync(string scope, CancellationToken ct)
    {
        await using var connection = await database.Source.OpenConnectionAsync(ct);
        await connection.ExecuteAsync(new CommandDefinition(
            "update attestation_policies set is_active = false where scope = @scope and is_active", new { scope }, cancellationToken: ct));
    }

    /// <summary>The platform's first policy, where it has none at all.</summary>
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

    /// <param name="text">As it is stored; null where that is too long to be a policy.</param>
    /// <exception cref="PolicyException">What is stored is no policy.</exception>
    public static AttestationPolicy Load(string? text, bool allowSimulated) => string.IsNullOrEmpty(text)
        ? throw new PolicyException("What is stored is empty, or larger than 256 KiB.")
        : PolicyJson.Parse(System.Text.Encoding.UTF8.GetBytes(text), allowSimulated);
}
