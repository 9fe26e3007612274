using System.Collections.Concurrent;
using System.Collections.Frozen;
using Cube.Attestation.Policy;
using Cube.Proxy.Configuration.Catalogs;
using Cube.Proxy.Configuration.Policies;
using Cube.Proxy.Configuration.Routes;

namespace Cube.Proxy.Configuration;

/// <summary>
/// The policies that a machine must satisfy, all of them: the platform's floor, then the domain's own, then the route's. So a domain and a
/// route can only be stricter.
/// </summary>
/// <param name="Domain">The domain that has a policy of its own; empty for none.</param>
/// <param name="Route">The route that has one; empty for none.</param>
/// <param name="Key">Names exactly these versions; a connection is used under the key that it was verified under.</param>
/// <param name="IsClosed">One of the policies, or the domain's catalog, is stored and cannot be loaded: no machine is asked, and none is used.</param>
internal sealed record PolicySet(Guid Domain, Guid Route, string Key, IReadOnlyList<NamedPolicy> Policies, bool IsClosed)
{
    /// <summary><c>platform</c>, a domain's id, <c>route:</c> and a route's id, or both with a plus.</summary>
    public string Scope { get; } = (Domain, Route) switch
    {
        ({ } domain, { } route) when domain != Guid.Empty && route != Guid.Empty => $"{domain}+{PolicyScope.OfRoute(route)}",
        ({ } domain, _) when domain != Guid.Empty => $"{domain}",
        (_, { } route) when route != Guid.Empty => PolicyScope.OfRoute(route),
        _ => PolicyScope.Platform,
    };
}

/// <summary>What is in force, policies, routes and model catalog, as one immutable whole.</summary>
internal sealed class ConfigurationSnapshot
{
    private readonly StoredConfiguration _state;
    private readonly FrozenDictionary<Guid, Catalog> _catalogs;
    private readonly NamedPolicy? _floor;
    private readonly Dictionary<Guid, NamedPolicy> _domains = [];
    private readonly Dictionary<Guid, NamedPolicy> _routes = [];
    private readonly bool _isPlatformClosed;
    private readonly HashSet<Guid> _closedDomains = [];
    private readonly HashSet<Guid> _closedRoutes = [];
    private readonly ConcurrentDictionary<(Guid Domain, Guid Route), PolicySet> _sets = new();

    /// <param name="state">What is stored.</param>
    /// <param name="generation">Grows where the same policies must be held against machines anew: a list of revocations has changed.</param>
    public ConfigurationSnapshot(StoredConfiguration state, int generation)
        : this(state, new RouteTable(state.Routes), generation)
    {
    }

    private ConfigurationSnapshot(StoredConfiguration state, RouteTable routes, int generation)
    {
        (_state, Routes, Generation) = (state, routes, generation);
        _catalogs = state.Catalogs.ToFrozenDictionary(static catalog => catalog.Domain);
        foreach (var policy in state.Policies)
        {
            if (policy.Id == PolicyScope.Platform)
            {
                _floor = policy;
            }
            else if (PolicyScope.FindRoute(policy.Id) is { } route)
            {
                _routes[route] = policy;
            }
            else if (PolicyScope.FindDomain(policy.Id) is { } domain)
            {
                _domains[domain] = policy;
            }
        }

        foreach (var row in state.Unreadable.Where(static row => row.Kind != "route"))
        {
            _isPlatformClosed |= row.Name == PolicyScope.Platform;
            if (PolicyScope.FindRoute(row.Name) is { } route)
            {
                _closedRoutes.Add(route);
            }
            else if (PolicyScope.FindDomain(row.Name) is { } domain)
            {
                _closedDomains.Add(domain);
            }
        }

        PlatformSet = PoliciesFor(Guid.Empty, Guid.Empty);
    }

    public int Generation { get; }

    public RouteTable Routes { get; }

    /// <summary>What is stored and cannot be loaded.</summary>
    public IReadOnlyCollection<Unreadable> Unreadable => _state.Unreadable;

    public int PolicyCount => _state.Policies.Count;

    public int CatalogCount => _state.Catalogs.Count;

    public PolicySet PlatformSet { get; }

    /// <returns>Null for a domain that offers all that its machines have.</returns>
    public Catalog? FindCatalog(Guid domain) => _catalogs.GetValueOrDefault(domain);

    public ConfigurationSnapshot WithNextGeneration() => new(_state, Routes, Generation + 1);

    /// <param name="domain">Empty for no domain's.</param>
    /// <param name="route">Empty for no route's.</param>
    public PolicySet PoliciesFor(Guid domain, Guid route) => _sets.GetOrAdd(
        (_domains.ContainsKey(domain) || _closedDomains.Contains(domain) ? domain : Guid.Empty, _routes.ContainsKey(route) || _closedRoutes.Contains(route) ? route : Guid.Empty),
        static (key, snapshot) => snapshot.Make(key.Domain, key.Route), this);

    /// <summary>Whether connections that were verified under it may take requests.</summary>
    public bool IsActive(PolicySet set) => PoliciesFor(set.Domain, set.Route).Key == set.Key;

    private PolicySet Make(Guid domain, Guid route)
    {
        var ofDomain = _domains.GetValueOrDefault(domain);
        var ofRoute = _routes.GetValueOrDefault(route);
        var key = $"{Generation}:{PolicyScope.Platform}@{_floor?.Version ?? 0}";
        foreach (var policy in (NamedPolicy?[])[ofDomain, ofRoute])
        {
            key += policy is null ? "" : $";{policy.Id}@{policy.Version}";
        }

        var isClosed = _isPlatformClosed || _closedDomains.Contains(domain) || _closedRoutes.Contains(route);
        key += isClosed ? $";closed/{domain}/{route}" : "";
        // Without a floor nothing is allowed, whatever a domain or a route says.
        IReadOnlyList<NamedPolicy> policies = _floor is null ? [] : [.. new[] { _floor, ofDomain, ofRoute }.OfType<NamedPolicy>()];
        return new PolicySet(domain, route, key, policies, isClosed);
    }
}
