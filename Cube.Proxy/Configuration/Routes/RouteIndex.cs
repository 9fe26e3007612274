using System.Collections.Frozen;

namespace Cube.Proxy.Configuration.Routes;

/// <summary>
/// Finds the first matching route without evaluating all routes. A route with a matcher for one exact value of a header, a query parameter, a member of the body or the method is looked up by the value of the request, which
/// is read once for all routes that compare it. Other routes are evaluated one after another.
/// </summary>
internal sealed class RouteIndex
{
    private readonly Route[] _ordered;
    private readonly List<ValueGroup> _groups = [];
    private readonly List<int> _others = [];

    /// <param name="ordered">The routes in the order in which they are matched.</param>
    public RouteIndex(Route[] ordered)
    {
        _ordered = ordered;
        var groups = new Dictionary<(MatchCondition, string), (RouteValue Source, Dictionary<string, List<int>> Values)>();
        for (var i = 0; i < ordered.Length; i++)
        {
            // The method distinguishes the fewest routes.
            if (ordered[i].Matchers.Where(static matcher => matcher.ExactValue is not null && matcher.Source is not null).OrderBy(static matcher => matcher.Source!.Condition == MatchCondition.Method).FirstOrDefault()
                is not { ExactValue: { } value, Source: { } source })
            {
                _others.Add(i);
                continue;
            }

            var key = (source.Condition, source.Name);
            if (!groups.TryGetValue(key, out var group))
            {
                groups[key] = group = (source, new Dictionary<string, List<int>>(StringComparer.Ordinal));
            }

            if (!group.Values.TryGetValue(value, out var indexes))
            {
                group.Values[value] = indexes = [];
            }

            indexes.Add(i);
        }

        foreach (var (source, values) in groups.Values)
        {
            _groups.Add(new ValueGroup(source, values.ToFrozenDictionary(static pair => pair.Key, static pair => pair.Value.ToArray(), StringComparer.Ordinal), values.Values.Min(static indexes => indexes[0])));
        }
    }

    /// <returns>The first route of which all matchers match; null if there is none.</returns>
    public Route? Find(in RouteRequest request)
    {
        var best = _ordered.Length;
        foreach (var group in _groups)
        {
            if (group.First < best && group.Source.Read(request) is { } value && group.Values.TryGetValue(value, out var indexes))
            {
                best = FindBefore(best, indexes, request);
            }
        }

        foreach (var index in _others)
        {
            if (index >= best)
            {
                break;
            }

            if (_ordered[index].Matches(request))
            {
                best = index;
                break;
            }
        }

        return best < _ordered.Length ? _ordered[best] : null;
    }

    private int FindBefore(int best, int[] indexes, in RouteRequest request)
    {
        foreach (var index in indexes)
        {
            if (index >= best)
            {
                break;
            }

            if (_ordered[index].Matches(request))
            {
                return index;
            }
        }

        return best;
    }

    /// <param name="Source">Where requests have the value.</param>
    /// <param name="Values">The positions of the routes by value, ascending.</param>
    /// <param name="First">The lowest position.</param>
    private sealed record ValueGroup(RouteValue Source, FrozenDictionary<string, int[]> Values, int First);
}
