using Cube.Proxy.Database;
using Dapper;
using Npgsql;

namespace Cube.Proxy.Configuration.Catalogs;

/// <summary>A catalog as it is kept.</summary>
internal sealed record StoredCatalog(IReadOnlyList<CatalogEntry> Models, DateTime UpdatedAt, string UpdatedBy);

/// <summary>Catalogues in the database of the proxies.</summary>
internal sealed class CatalogStore(ProxyDatabase database)
{
    internal sealed record Row(Guid Domain, string? Models, long Revision, DateTime UpdatedAt, string UpdatedBy);

    private static readonly string Select = $"select domain, case when octet_length(models::text) <= {CatalogJson.MaxStored} then models::text end as models, revision, updated_at, updated_by from model_catalogues";

    /// <summary>Within the caller's transaction, so that all that is in force is of one moment.</summary>
    public static Task<IEnumerable<Row>> RunningAsync(NpgsqlConnection connection, NpgsqlTransaction transaction, Guid[] domains, CancellationToken ct) =>
        connection.QueryAsync<Row>(new CommandDefinition($"{Select} where domain = any(@domains)", new { domains }, transaction, cancellationToken: ct));

    /// <exception cref="CatalogException">What is stored is no catalog.</exception>
    public async Task<StoredCatalog?> FindAsync(Guid domain, CancellationToken ct)
    {
        await using var connection = await database.Source.OpenConnectionAsync(ct);
        return await connection.QuerySingleOrDefaultAsync<Row>(new CommandDefinition($"{Select} where domain = @domain", new { domain }, cancellationToken: ct)) is { } row
            ? new StoredCatalog(CatalogJson.ReadStored(row.Models), row.UpdatedAt, row.UpdatedBy)
            : null;
    }

    public async Task ReplaceAsync(Guid domain, IReadOnlyList<CatalogEntry> entries, string by, CancellationToken ct)
    {
        await using var connection = await database.Source.OpenConnectionAsync(ct);
        await connection.ExecuteAsync(new CommandDefinition(
            """
            insert into model_catalogues (domain, models, updated_by) values (@domain, @models::jsonb, @by)
            on conflict (domain) do update set models = excluded.models, updated_by = excluded.updated_by, updated_at = now(), revision = nextval('model_catalogues_revision')
            """,
            new { domain, models = CatalogJson.Write(entries), by }, cancellationToken: ct));
    }

    public async Task DeleteAsync(Guid domain, CancellationToken ct)
    {
        await using var connection = await database.Source.OpenConnectionAsync(ct);
        await connection.ExecuteAsync(new CommandDefinition("delete from model_catalogues where domain = @domain", new { domain }, cancellationToken: ct));
    }
}
