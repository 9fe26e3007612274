using System.Collections.Frozen;

namespace Cube.Proxy.Configuration.Routes;

/// <summary>A loaded route with compiled matchers.</summary>
internal sealed class Route
{
    private readonly RouteMatcher[] _matchers;

    public Route(Guid id, long revision, RouteDefinition definition)
        : this(id, revision, definition, new Uri(definition.TargetUrl))
    {
    }

    private Route(Guid id, long revision, RouteDefinition definition, Uri target)
    {
        (Id, Revision, Definition, Target) = (id, revision, definition, target);
        Prefix = Target.AbsolutePath.TrimEnd('/');
        _matchers = [.. definition.Matchers.Select(RouteMatcher.Create)];
    }

    /// <summary>Creates a closed route from a stored route that the proxy cannot load. It matches the same requests, so that they do not fall through to another route, and the proxy rejects them.</summary>
    /// <returns>Null if the matchers cannot be read, or the route is disabled.</returns>
    public static Route? CreateClosed(Guid id, long revision, string? definition) => RouteJson.ReadConditions(definition) is { Enabled: true } conditions
        ? new Route(id, revision, conditions, new Uri(conditions.TargetUrl)) { IsClosed = true }
        : null;

    /// <summary>The proxy cannot load the stored route and rejects the requests that match it.</summary>
    public bool IsClosed { get; private init; }

    public Guid Id { get; }

    /// <summary>Increases with each change of the route.</summary>
    public long Revision { get; }

    public RouteDefinition Definition { get; }

    public string Name => Definition.Name;

    public Uri Target { get; }

    /// <summary>The path of <see cref="Target"/> without a trailing slash; the path of the endpoint follows it. Usually empty.</summary>
    public string Prefix { get; }

    public IReadOnlyList<RouteMatcher> Matchers => _matchers;

    public bool Matches(in RouteRequest request)
    {
        foreach (var matcher in _matchers)
        {
            if (!matcher.Matches(request))
            {
                return false;
            }
        }

        return true;
    }

    /// <param name="path">Path of an endpoint.</param>
    /// <returns>The path at the target: without the stripped prefix, and with the prefix of the target.</returns>
    public string PathOf(string path) =>
        Definition.StripPrefix is { } strip && path.StartsWith(strip, StringComparison.Ordinal) ? $"{Prefix}/{path.AsSpan(strip.Length).TrimStart('/')}"
        : Prefix.Length == 0 ? path
        : Prefix + path;
}

/// <summary>The enabled routes, in the order in which they are matched. Immutable.</summary>
internal sealed class RouteTable
{
    private readonly RouteIndex _index;
    private readonly Route? _default;
    private readonly FrozenDictionary<Guid, Route> _byId;

    public RouteTable(IEnumerable<Route> routes)
    {
        var enabled = routes.Where(static route => route.Definition.Enabled).ToList();
        _index = new RouteIndex(
        [
            .. enabled.Where(static route => !route.Definition.DefaultRule)
                .OrderByDescending(static route => route.Definition.Priority).ThenBy(static route => route.Name, StringComparer.Ordinal),
        ]);
        _default = enabled.Find(static route => route.Definition.DefaultRule);
        _byId = enabled.Where(static route => !route.IsClosed).ToFrozenDictionary(static route => route.Id);
    }

    public static RouteTable Empty { get; } = new([]);

    /// <summary>The routes without the closed ones, in no order.</summary>
    public IReadOnlyCollection<Route> All => _byId.Values;

    /// <returns>True if the table has this route in the same revision.</returns>
    public bool Contains(Route route) => _byId.TryGetValue(route.Id, out var current) && current.Revision == route.Revision;

    /// <returns>The first route of which all matchers match; else the default route; null if there is none.</returns>
    public Route? Find(in RouteRequest request) => _index.Find(request) ?? _default;
}
