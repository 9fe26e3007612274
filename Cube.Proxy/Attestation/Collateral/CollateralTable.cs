using Cube.Proxy.Database;
using Dapper;

namespace Cube.Proxy.Attestation.Collateral;

/// <summary>A vendor's document as it is kept.</summary>
/// <param name="NextUpdate">When it counts no longer; null where it does not say.</param>
internal sealed record KeptCollateral(string Name, byte[] Content, DateTimeOffset FetchedAt, DateTimeOffset? NextUpdate);

/// <summary>The vendors' documents in the database, for restarts and for the other proxies.</summary>
internal sealed class CollateralTable(ProxyDatabase database)
{
    public async Task<IReadOnlyList<KeptCollateral>> ReadAsync(CancellationToken ct)
    {
        await using var connection = await database.Source.OpenConnectionAsync(ct);
        var rows = await connection.QueryAsync<Row>(new CommandDefinition("select name, content, fetched_at, next_update from attestation_collateral", cancellationToken: ct));
        return [.. rows.Select(static row => new KeptCollateral(row.Name, row.Content, Utc(row.FetchedAt), row.NextUpdate is { } end ? Utc(end) : null))];
    }

    /// <summary>What is newer already stays.</summary>
    public async Task WriteAsync(KeptCollateral kept, CancellationToken ct)
    {
        await using var connection = await database.Source.OpenConnectionAsync(ct);
        await connection.ExecuteAsync(new CommandDefinition(
            """
            insert into attestation_collateral as kept (name, content, fetched_at, next_update) values (@Name, @Content, @fetched, @next)
            on conflict (name) do update set content = excluded.content, fetched_at = excluded.fetched_at, next_update = excluded.next_update
            where kept.fetched_at <= excluded.fetched_at
            """,
            new { kept.Name, kept.Content, fetched = kept.FetchedAt.UtcDateTime, next = kept.NextUpdate?.UtcDateTime }, cancellationToken: ct));
    }

    private static DateTimeOffset Utc(DateTime value) => new(DateTime.SpecifyKind(value, DateTimeKind.Utc));

    private sealed record Row
    {
        public required string Name { get; init; }
        public required byte[] Content { get; init; }
        public required DateTime FetchedAt { get; init; }
        public DateTime? NextUpdate { get; init; }
    }
}
