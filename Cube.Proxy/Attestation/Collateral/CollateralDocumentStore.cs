using Cube.Proxy.Database;
using Dapper;

namespace Cube.Proxy.Attestation.Collateral;

/// <summary>A stored document of a vendor.</summary>
/// <param name="Name">See <see cref="Cube.Attestation.Appraisal.CollateralName"/>.</param>
/// <param name="NextUpdate">The end of its validity; null if the document does not state one.</param>
internal sealed record CollateralDocument(string Name, byte[] Content, DateTimeOffset FetchedAt, DateTimeOffset? NextUpdate);

/// <summary>The vendors' documents in the database, which all proxies share. A restarted proxy needs no vendor.</summary>
internal sealed class CollateralDocumentStore(ProxyDatabase database)
{
    public async Task<IReadOnlyList<CollateralDocument>> ReadAsync(CancellationToken ct)
    {
        await using var connection = await database.Source.OpenConnectionAsync(ct);
        var rows = await connection.QueryAsync<Row>(new CommandDefinition("select name, content, fetched_at, next_update from attestation_collateral", cancellationToken: ct));
        return [.. rows.Select(static row => new CollateralDocument(row.Name, row.Content, Utc(row.FetchedAt), row.NextUpdate is { } end ? Utc(end) : null))];
    }

    /// <summary>Inserts or replaces a document. Has no effect if the database has a document of this name that was fetched later.</summary>
    public async Task WriteAsync(CollateralDocument document, CancellationToken ct)
    {
        await using var connection = await database.Source.OpenConnectionAsync(ct);
        await connection.ExecuteAsync(new CommandDefinition(
            """
            insert into attestation_collateral as stored (name, content, fetched_at, next_update) values (@Name, @Content, @fetched, @next)
            on conflict (name) do update set content = excluded.content, fetched_at = excluded.fetched_at, next_update = excluded.next_update
            where stored.fetched_at <= excluded.fetched_at
            """,
            new { document.Name, document.Content, fetched = document.FetchedAt.UtcDateTime, next = document.NextUpdate?.UtcDateTime }, cancellationToken: ct));
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
