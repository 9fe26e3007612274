using System.Collections.Concurrent;
using System.Collections.Frozen;
using Cube.Attestation.Policy;
using Cube.Proxy.Models.Catalogues;
using Cube.Proxy.Routing;

namespace Cube.Proxy.Attestation.Policies;

/// <summary>
/// The policies that a machine must satisfy, all of them: the platform's floor, then the domain's own, then the route's. So a domain and a
/// route can only be stricter.
/// </summary>
/// <param name="Domain">The domain that has a policy of its own; empty for none.</param>
/// <param name="Route">The route that has one; empty for none.</param>
/// <param name="Key">Names exactly these versions; a connection is used under the key that it was verified under.</param>
internal sealed record PolicySet(Guid Domain, Guid Route, string Key, IReadOnlyList<NamedPolicy> Policies)
{
    /// <summary><c>platform</c>, a domain's id, <c>route:</c> and a route's id, or both with a plus.</summary>
    public string Scope { get; } = (Domain, Route) switch
    {
        ({ } domain, { } route) when domain != Guid.Empty && route != Guid.Empty => $"{domain}+{PolicySnapshot.ScopeOf(route)}",
        ({ } domain, _) when domain != Guid.Empty => $"{domain}",
        (_, { } route) when route != Guid.Empty => PolicySnapshot.ScopeOf(route),
        _ => PolicySnapshot.Platform,
    };
}

/// <summary>What is in force, policies, routes and model catalogues, as one immutable whole.</summary>
internal sealed class PolicySnapshot
{
    public const string Platform = "platform";
    private const string RoutePrefix = "route:";
    private readonly IReadOnlyCollection<NamedPolicy> _active;
    private readonly IReadOnlyCollection<Catalogue> _catalogues;
    private readonly FrozenDictionary<Guid, Catalogue> _catalogueOf;
    private readonly NamedPolicy? _floor;
    private readonly Dictionary<Guid, NamedPolicy> _domains = [];
    private readonly Dictionary<Guid, NamedPolicy> _routes = [];
    private readonly ConcurrentDictionary<(Guid Domain, Guid Route), PolicySet> _sets = new();

    /// <param name="active">Every active version.</param>
    /// <param name="routes">Every enabled route.</param>
    /// <param name="catalogues">Of every domain that has one.</param>
    /// <param name="generation">Grows where the same policies must be held against machines anew: a list of revocations has changed.</param>
    public PolicySnapshot(IReadOnlyCollection<NamedPolicy> active, RouteTable routes, IReadOnlyCollection<Catalogue> catalogues, int generation)
    {
        (_active, Routes, _catalogues, Generation) = (active, routes, catalogues, generation);
        _catalogueOf = catalogues.ToFrozenDictionary(static catalogue => catalogue.Domain);
        foreach (var policy in active)
        {
            if (policy.Id == Platform)
            {
                _floor = policy;
            }
            else if (RouteOf(policy.Id) is { } route)
            {
                _routes[route] = policy;
            }
            else
            {
                _domains[Guid.Parse(policy.Id)] = policy;
            }
        }

        PlatformSet = Of(Guid.Empty, Guid.Empty);
    }

    public int Generation { get; }

    public RouteTable Routes { get; }

    public PolicySet PlatformSet { get; }

    /// <returns>Null for a domain that offers all that its machines have.</returns>
    public Catalogue? CatalogueOf(Guid domain) => _catalogueOf.GetValueOrDefault(domain);

    public static string ScopeOf(Guid route) => $"{RoutePrefix}{route}";

    /// <returns>The route that a scope is of; null for every other scope.</returns>
    public static Guid? RouteOf(string scope) => scope.StartsWith(RoutePrefix, StringComparison.Ordinal) ? Guid.Parse(scope.AsSpan(RoutePrefix.Length)) : null;

    public PolicySnapshot Renewed() => new(_active, Routes, _catalogues, Generation + 1);

    /// <param name="domain">Empty for no domain's.</param>
    /// <param name="route">Empty for no route's.</param>
    public PolicySet Of(Guid domain, Guid route) => _sets.GetOrAdd(
        (_domains.ContainsKey(domain) ? domain : Guid.Empty, _routes.ContainsKey(route) ? route : Guid.Empty),
        static (key, snapshot) => snapshot.Make(key.Domain, key.Route), this);

    /// <summary>Whether connections that were verified under it may take requests.</summary>
    public bool IsInForce(PolicySet set) => Of(set.Domain, set.Route).Key == set.Key;

    private PolicySet Make(Guid domain, Guid route)
    {
        var ofDomain = _domains.GetValueOrDefault(domain);
        var ofRoute = _routes.GetValueOrDefault(route);
        var key = $"{Generation}:{Platform}@{_floor?.Version ?? 0}";
        foreach (var policy in (NamedPolicy?[])[ofDomain, ofRoute])
        {
            key += policy is null ? "" : $";{policy.Id}@{policy.Version}";
        }

        // Without a floor nothing is allowed, whatever a domain or a route says.
        IReadOnlyList<NamedPolicy> policies = _floor is null ? [] : [.. new[] { _floor, ofDomain, ofRoute }.OfType<NamedPolicy>()];
        return new PolicySet(domain, route, key, policies);
    }
}
