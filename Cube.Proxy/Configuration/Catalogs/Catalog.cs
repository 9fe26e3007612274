using System.Collections.Frozen;

namespace Cube.Proxy.Configuration.Catalogs;

/// <param name="Id">What members of the domain call the model.</param>
/// <param name="Model">What the model server calls it.</param>
internal sealed record CatalogEntry(string Id, string Model);

/// <summary>The models that one domain offers to its members, in the order and under the names that it gave them. There are no others for it.</summary>
internal sealed class Catalog(Guid domain, long revision, IReadOnlyList<CatalogEntry> entries)
{
    private readonly FrozenDictionary<string, CatalogEntry> _byId = entries.ToFrozenDictionary(static entry => entry.Id, StringComparer.Ordinal);

    public Guid Domain => domain;

    /// <summary>Grows with every change of any domain's.</summary>
    public long Revision => revision;

    public IReadOnlyList<CatalogEntry> Entries => entries;

    public CatalogEntry? Find(string id) => _byId.GetValueOrDefault(id);
}
