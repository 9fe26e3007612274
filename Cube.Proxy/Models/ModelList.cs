using System.Collections.Frozen;
using System.ComponentModel;
using Cube.Attestation;
using Cube.Proxy.OpenAi;

namespace Cube.Proxy.Models;

internal sealed record Model(string Id, long Created, string OwnedBy);

/// <summary>What the model server has, at one moment.</summary>
/// <param name="models">Its models.</param>
/// <param name="kind">Its own kind.</param>
/// <param name="verdict">What the machine proved that told so.</param>
[ImmutableObject(true)]
internal sealed class ModelList(IReadOnlyList<Model> models, BackendKind kind, Verdict verdict)
{
    /// <summary>What a model server of Ollama's kind takes for a name without a tag.</summary>
    private const string DefaultTag = ":latest";

    private readonly FrozenSet<string> _known = models.Select(static model => model.Id).ToFrozenSet(StringComparer.Ordinal);

    public IReadOnlyList<Model> Models => models;

    public BackendKind Kind => kind;

    public Verdict Verdict => verdict;

    public IReadOnlyList<string> Ids { get; } = [.. models.Select(static model => model.Id)];

    /// <returns>The very id that a client's word stands for, or null. Other letters, other registries and other hosts are no model of ours.</returns>
    public string? Resolve(string name) =>
        _known.Contains(name) ? name
        : !name.Contains(':', StringComparison.Ordinal) && _known.Contains(name + DefaultTag) ? name + DefaultTag
        : null;
}
