using System.Collections.Frozen;
using System.ComponentModel;
using Cube.Attestation;
using Cube.Attestation.Verdicts;
using Cube.Inference.Models;
using Cube.Inference.Translation;
using Cube.Proxy.Configuration.Catalogs;

namespace Cube.Proxy.Inference.Models;

/// <summary>A model under the id that the domain publishes.</summary>
/// <param name="Id">The published id.</param>
/// <param name="Model">The model at the model server.</param>
internal readonly record struct PublishedModel(string Id, Model Model);

/// <summary>The models of a model server at one point in time.</summary>
/// <param name="models">The models.</param>
/// <param name="backend">The protocol of the model server.</param>
/// <param name="verdict">The attestation verdict of the machine that reported the models.</param>
[ImmutableObject(true)]
internal sealed class ModelCatalog(IReadOnlyList<Model> models, BackendProtocol backend, Verdict verdict)
{
    /// <summary>The tag that Ollama uses for a name without a tag.</summary>
    private const string DefaultTag = ":latest";

    private readonly FrozenDictionary<string, Model> _known = models.ToFrozenDictionary(static model => model.Id, StringComparer.Ordinal);

    public IReadOnlyList<Model> Models => models;

    public BackendProtocol Backend => backend;

    public Verdict Verdict => verdict;

    /// <param name="catalog">The domain's catalog; null if the domain publishes all models.</param>
    public IEnumerable<PublishedModel> Published(Catalog? catalog)
    {
        if (catalog is null)
        {
            return models.Select(static model => new PublishedModel(model.Id, model));
        }

        return catalog.Entries.Select(Publish).OfType<PublishedModel>();
    }

    /// <returns>The published model with this name; null if there is none. Letter case matters, and names with another registry or host do not match.</returns>
    public PublishedModel? Resolve(string name, Catalog? catalog)
    {
        if (catalog is not null)
        {
            return (catalog.Find(name) ?? (HasTag(name) ? null : catalog.Find(name + DefaultTag))) is { } entry ? Publish(entry) : null;
        }

        return Find(name) is { } model ? new PublishedModel(model.Id, model) : null;
    }

    private PublishedModel? Publish(CatalogEntry entry) => Find(entry.Model) is { } model ? new PublishedModel(entry.Id, model) : null;

    private Model? Find(string name) => _known.GetValueOrDefault(name) ?? (HasTag(name) ? null : _known.GetValueOrDefault(name + DefaultTag));

    private static bool HasTag(string name) => name.Contains(':', StringComparison.Ordinal);
}
