using Cube.Attestation.Policy;

namespace Cube.Proxy.Attestation.Policies;

/// <summary>The policies that a machine must satisfy for one scope, all of them: the platform's floor, then the domain's own. So a domain can only be stricter.</summary>
/// <param name="Scope"><c>platform</c>, or a domain's id.</param>
/// <param name="Key">Names exactly these versions; a connection is used under the key that it was verified under.</param>
internal sealed record PolicySet(string Scope, string Key, IReadOnlyList<NamedPolicy> Policies);

/// <summary>What is in force, as one immutable whole.</summary>
internal sealed class PolicySnapshot
{
    public const string Platform = "platform";
    private readonly Dictionary<string, PolicySet> _sets = new(StringComparer.Ordinal);

    /// <param name="active">Every active version.</param>
    /// <param name="generation">Grows where the same policies must be held against machines anew: a list of revocations has changed.</param>
    public PolicySnapshot(IReadOnlyCollection<NamedPolicy> active, int generation)
    {
        Generation = generation;
        var floor = active.FirstOrDefault(static policy => policy.Id == Platform);
        PlatformSet = new PolicySet(Platform, $"{generation}:{Platform}@{floor?.Version ?? 0}", floor is null ? [] : [floor]);
        foreach (var policy in active.Where(static policy => policy.Id != Platform))
        {
            _sets[policy.Id] = new PolicySet(policy.Id, $"{PlatformSet.Key};{policy.Id}@{policy.Version}", floor is null ? [] : [floor, policy]);
        }

        Keys = _sets.Values.Select(static set => set.Key).Append(PlatformSet.Key).ToHashSet(StringComparer.Ordinal);
    }

    public int Generation { get; }

    public PolicySet PlatformSet { get; }

    /// <summary>Keys under which connections may be used.</summary>
    public IReadOnlySet<string> Keys { get; }

    public PolicySet Of(Guid domain) => Of(domain.ToString());

    public PolicySet Of(string scope) => _sets.GetValueOrDefault(scope) ?? PlatformSet;
}
