using Cube.Proxy.Database;
using Dapper;
using Npgsql;

namespace Cube.Proxy.Configuration.Catalogs;

internal sealed record StoredCatalog(IReadOnlyList<CatalogEntry> Models, DateTime UpdatedAt, string UpdatedBy);

/// <summary>The model catalogs in the database, which all proxies share. A domain has at most one.</summary>
internal sealed class CatalogStore(ProxyDatabase database)
{
    /// <param name="Models">The stored JSON; null if it exceeds <see cref="CatalogJson.MaxStored"/>.</param>
    internal sealed record Row(Guid Domain, string? Models, long Revision, DateTime UpdatedAt, string UpdatedBy);

    private static readonly string Select =
        $"select domain, case when octet_length(models::text) <= {CatalogJson.MaxStored} then models::text end as models, revision, updated_at, updated_by from model_catalogues";

    /// <summary>Reads in the caller's transaction, so that policies, routes and catalogs are from one database snapshot.</summary>
    public static Task<IEnumerable<Row>> ReadAsync(NpgsqlConnection connection, NpgsqlTransaction transaction, Guid[] domains, CancellationToken ct) =>
        connection.QueryAsync<Row>(new CommandDefinition($"{Select} where domain = any(@domains)", new { domains }, transaction, cancellationToken: ct));

    /// <exception cref="CatalogException">The stored catalog is not valid.</exception>
    public async Task<StoredCatalog?> FindAsync(Guid domain, CancellationToken ct)
    {
        await using var connection = await database.Source.OpenConnectionAsync(ct);
        return await connection.QuerySingleOrDefaultAsync<Row>(new CommandDefinition($"{Select} where domain = @domain", new { domain }, cancellationToken: ct)) is { } row
            ? new StoredCatalog(CatalogJson.ReadStored(row.Models), row.UpdatedAt, row.UpdatedBy)
            : null;
    }

    public async Task ReplaceAsync(Guid domain, IReadOnlyList<CatalogEntry> entries, string updatedBy, CancellationToken ct)
    {
        await using var connection = await database.Source.OpenConnectionAsync(ct);
        await connection.ExecuteAsync(new CommandDefinition(
            """
            insert into model_catalogues (domain, models, updated_by) values (@domain, @models::jsonb, @updatedBy)
            on conflict (domain) do update set models = excluded.models, updated_by = excluded.updated_by, updated_at = now(), revision = nextval('model_catalogues_revision')
            """,
            new { domain, models = CatalogJson.Write(entries), updatedBy }, cancellationToken: ct));
    }

    public async Task DeleteAsync(Guid domain, CancellationToken ct)
    {
        await using var connection = await database.Source.OpenConnectionAsync(ct);
        await connection.ExecuteAsync(new CommandDefinition("delete from model_catalogues where domain = @domain", new { domain }, cancellationToken: ct));
    }
}
