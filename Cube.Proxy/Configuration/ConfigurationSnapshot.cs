using System.Collections.Concurrent;
using System.Collections.Frozen;
using Cube.Attestation.Policy;
using Cube.Proxy.Configuration.Catalogs;
using Cube.Proxy.Configuration.Policies;
using Cube.Proxy.Configuration.Routes;

namespace Cube.Proxy.Configuration;

/// <summary>
/// The policies that a machine must satisfy. All apply: the platform policy, then the policies of the domain and of the route. The policy of a domain or route can therefore only add requirements.
/// </summary>
/// <param name="Domain">The domain, if it has a policy; else empty.</param>
/// <param name="Route">The route, if it has a policy; else empty.</param>
/// <param name="Key">Identifies the generation and the policy versions. A connection serves only requests with the key that it was verified under.</param>
/// <param name="Policies">The platform policy first; empty if the platform has none, so that no machine is accepted.</param>
/// <param name="IsClosed">The proxy cannot load one of the policies or the domain's catalog. It rejects requests and opens no connection.</param>
internal sealed record PolicySet(Guid Domain, Guid Route, string Key, IReadOnlyList<NamedPolicy> Policies, bool IsClosed)
{
    /// <summary><c>platform</c>, <c>{domain}</c>, <c>route:{route}</c>, or <c>{domain}+route:{route}</c>.</summary>
    public string Scope { get; } = (Domain, Route) switch
    {
        ({ } domain, { } route) when domain != Guid.Empty && route != Guid.Empty => $"{domain}+{PolicyScope.OfRoute(route)}",
        ({ } domain, _) when domain != Guid.Empty => $"{domain}",
        (_, { } route) when route != Guid.Empty => PolicyScope.OfRoute(route),
        _ => PolicyScope.Platform,
    };
}

/// <summary>The active policies, routes and model catalogs at one moment. Immutable.</summary>
internal sealed class ConfigurationSnapshot
{
    private readonly StoredConfiguration _stored;
    private readonly FrozenDictionary<Guid, Catalog> _catalogs;
    private readonly NamedPolicy? _platformPolicy;
    private readonly Dictionary<Guid, NamedPolicy> _domains = [];
    private readonly Dictionary<Guid, NamedPolicy> _routes = [];
    private readonly bool _isPlatformClosed;
    private readonly HashSet<Guid> _closedDomains = [];
    private readonly HashSet<Guid> _closedRoutes = [];
    private readonly ConcurrentDictionary<(Guid Domain, Guid Route), PolicySet> _sets = new();

    /// <param name="stored">The configuration in the database.</param>
    /// <param name="generation">Increases when every machine must be verified again under the same policies, for example after a change of a revocation list.</param>
    public ConfigurationSnapshot(StoredConfiguration stored, int generation)
        : this(stored, new RouteTable(stored.Routes), generation)
    {
    }

    private ConfigurationSnapshot(StoredConfiguration stored, RouteTable routes, int generation)
    {
        (_stored, Routes, Generation) = (stored, routes, generation);
        _catalogs = stored.Catalogs.ToFrozenDictionary(static catalog => catalog.Domain);
        foreach (var policy in stored.Policies)
        {
            if (policy.Id == PolicyScope.Platform)
            {
                _platformPolicy = policy;
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

        foreach (var row in stored.Unreadable.Where(static row => row.Kind != "route"))
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

    /// <summary>Stored rows that the proxy cannot load.</summary>
    public IReadOnlyCollection<UnreadableRow> Unreadable => _stored.Unreadable;

    public int PolicyCount => _stored.Policies.Count;

    public int CatalogCount => _stored.Catalogs.Count;

    /// <summary>The policies for requests of domains and routes without a policy.</summary>
    public PolicySet PlatformSet { get; }

    /// <returns>Null if the domain has no catalog: it publishes all models of its model servers.</returns>
    public Catalog? FindCatalog(Guid domain) => _catalogs.GetValueOrDefault(domain);

    public ConfigurationSnapshot WithNextGeneration() => new(_stored, Routes, Generation + 1);

    /// <param name="domain">Empty for no domain.</param>
    /// <param name="route">Empty for no route.</param>
    public PolicySet PoliciesFor(Guid domain, Guid route) => _sets.GetOrAdd(
        (_domains.ContainsKey(domain) || _closedDomains.Contains(domain) ? domain : Guid.Empty, _routes.ContainsKey(route) || _closedRoutes.Contains(route) ? route : Guid.Empty),
        static (key, snapshot) => snapshot.Create(key.Domain, key.Route), this);

    /// <returns>True if connections that were verified under <paramref name="set"/> may accept requests.</returns>
    public bool IsActive(PolicySet set) => PoliciesFor(set.Domain, set.Route).Key == set.Key;

    private PolicySet Create(Guid domain, Guid route)
    {
        var domainPolicy = _domains.GetValueOrDefault(domain);
        var routePolicy = _routes.GetValueOrDefault(route);
        var key = $"{Generation}:{PolicyScope.Platform}@{_platformPolicy?.Version ?? 0}";
        foreach (var policy in (NamedPolicy?[])[domainPolicy, routePolicy])
        {
            key += policy is null ? "" : $";{policy.Id}@{policy.Version}";
        }

        var isClosed = _isPlatformClosed || _closedDomains.Contains(domain) || _closedRoutes.Contains(route);
        key += isClosed ? $";closed/{domain}/{route}" : "";
        // Without a platform policy the set is empty, which permits no connection, even if the domain or the route has a policy.
        IReadOnlyList<NamedPolicy> policies = _platformPolicy is null ? [] : [.. new[] { _platformPolicy, domainPolicy, routePolicy }.OfType<NamedPolicy>()];
        return new PolicySet(domain, route, key, policies, isClosed);
    }
}
