using System.Collections.Frozen;

namespace Cube.Proxy.Configuration.Routes;

/// <summary>A route that runs.</summary>
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
        _matchers = [.. definition.Matchers.Select(RouteMatcher.Of)];
    }

    /// <summary>What stands for a stored route that cannot be loaded: it takes the requests that it is for, and leads nowhere, so that they go to no other machine.</summary>
    /// <returns>Null where it cannot even be read which requests it is for, or it is disabled.</returns>
    public static Route? Closed(Guid id, long revision, string? definition) => RouteJson.ReadConditions(definition) is { Enabled: true } conditions
        ? new Route(id, revision, conditions, new Uri(conditions.TargetUrl)) { IsClosed = true }
        : null;

    /// <summary>It is stored, and cannot be loaded.</summary>
    public bool IsClosed { get; private init; }

    public Guid Id { get; }

    /// <summary>Grows with every change.</summary>
    public long Revision { get; }

    public RouteDefinition Definition { get; }

    public string Name => Definition.Name;

    public Uri Target { get; }

    /// <summary>The path in front of the endpoint's own; empty for nearly all.</summary>
    public string Prefix { get; }

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

    /// <returns>Where an endpoint's path is at the target.</returns>
    public string PathOf(string path) =>
        Definition.StripPrefix is { } strip && path.StartsWith(strip, StringComparison.Ordinal) ? $"{Prefix}/{path.AsSpan(strip.Length).TrimStart('/')}"
        : Prefix.Length == 0 ? path
        : Prefix + path;
}

/// <summary>The enabled routes at one moment, in the order in which they are asked.</summary>
internal sealed class RouteTable
{
    private readonly Route[] _ordered;
    private readonly Route? _default;
    private readonly FrozenDictionary<Guid, Route> _byId;

    public RouteTable(IEnumerable<Route> routes)
    {
        var enabled = routes.Where(static route => route.Definition.Enabled).ToList();
        _ordered =
        [
            .. enabled.Where(static route => !route.Definition.DefaultRule)
                .OrderByDescending(static route => route.Definition.Priority).ThenBy(static route => route.Name, StringComparer.Ordinal),
        ];
        _default = enabled.Find(static route => route.Definition.DefaultRule);
        _byId = enabled.Where(static route => !route.IsClosed).ToFrozenDictionary(static route => route.Id);
    }

    public static RouteTable Empty { get; } = new([]);

    /// <summary>Those that lead somewhere.</summary>
    public IReadOnlyCollection<Route> All => _byId.Values;

    /// <summary>Whether exactly this route is still what runs.</summary>
    public bool Contains(Route route) => _byId.TryGetValue(route.Id, out var current) && current.Revision == route.Revision;

    /// <returns>The first whose matchers all match, else the default one, else null.</returns>
    public Route? Find(in RouteRequest request)
    {
        foreach (var route in _ordered)
        {
            if (route.Matches(request))
            {
                return route;
            }
        }

        return _default;
    }
}
