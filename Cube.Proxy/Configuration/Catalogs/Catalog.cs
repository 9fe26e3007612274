using System.Collections.Frozen;

namespace Cube.Proxy.Configuration.Catalogs;

/// <param name="Id">The published model id, unique in the catalog. Members of the domain use it in requests.</param>
/// <param name="Model">The model id at the model server.</param>
internal sealed record CatalogEntry(string Id, string Model);

/// <summary>The models that a domain publishes to its members, in its own order. Members can use no other models. A domain without a catalog publishes all models of its model servers.</summary>
internal sealed class Catalog(Guid domain, long revision, IReadOnlyList<CatalogEntry> entries)
{
    private readonly FrozenDictionary<string, CatalogEntry> _byId = entries.ToFrozenDictionary(static entry => entry.Id, StringComparer.Ordinal);

    public Guid Domain => domain;

    /// <summary>Increases with each change of any catalog.</summary>
    public long Revision => revision;

    public IReadOnlyList<CatalogEntry> Entries => entries;

    public CatalogEntry? Find(string id) => _byId.GetValueOrDefault(id);
}
