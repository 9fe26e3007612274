using System.Collections.Frozen;
using System.ComponentModel;
using Cube.Attestation;
using Cube.Attestation.Verdicts;
using Cube.Inference.Models;
using Cube.Inference.Translation;
using Cube.Proxy.Configuration.Catalogs;

namespace Cube.Proxy.Inference.Models;

/// <summary>A model as a domain's members know it.</summary>
/// <param name="Id">What they call it.</param>
/// <param name="Model">What the model server has.</param>
internal readonly record struct PublishedModel(string Id, Model Model);

/// <summary>What the model server has, at one moment.</summary>
/// <param name="models">Its models.</param>
/// <param name="backend">Its protocol.</param>
/// <param name="verdict">What the machine proved that told so.</param>
[ImmutableObject(true)]
internal sealed class ModelCatalog(IReadOnlyList<Model> models, BackendProtocol backend, Verdict verdict)
{
    /// <summary>What a model server of Ollama's kind takes for a name without a tag.</summary>
    private const string DefaultTag = ":latest";

    private readonly FrozenDictionary<string, Model> _known = models.ToFrozenDictionary(static model => model.Id, StringComparer.Ordinal);

    public IReadOnlyList<Model> Models => models;

    public BackendProtocol Backend => backend;

    public Verdict Verdict => verdict;

    /// <param name="own">The domain's catalog; null where it offers all there is.</param>
    public IEnumerable<PublishedModel> Published(Catalog? own)
    {
        if (own is null)
        {
            return models.Select(static model => new PublishedModel(model.Id, model));
        }

        return own.Entries.Select(entry => Of(entry)).OfType<PublishedModel>();
    }

    /// <returns>What a client's word stands for, or null. Other letters, other registries and other hosts are no model of ours.</returns>
    public PublishedModel? Resolve(string name, Catalog? own)
    {
        if (own is not null)
        {
            return (own.Find(name) ?? (HasTag(name) ? null : own.Find(name + DefaultTag))) is { } entry ? Of(entry) : null;
        }

        return Find(name) is { } model ? new PublishedModel(model.Id, model) : null;
    }

    private PublishedModel? Of(CatalogEntry entry) => Find(entry.Model) is { } model ? new PublishedModel(entry.Id, model) : null;

    private Model? Find(string name) => _known.GetValueOrDefault(name) ?? (HasTag(name) ? null : _known.GetValueOrDefault(name + DefaultTag));

    private static bool HasTag(string name) => name.Contains(':', StringComparison.Ordinal);
}
