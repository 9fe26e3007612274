using Microsoft.AspNetCore.Routing.Matching;

namespace Cube.Proxy.Edge;

/// <summary>Matches endpoints below a domain only if <see cref="DomainPathMiddleware"/> accepted the path, and no other endpoints then. Routing alone would also match <c>/PROXY/…</c>.</summary>
internal sealed class DomainPathMatcherPolicy : MatcherPolicy, INodeBuilderPolicy
{
    /// <summary>Before ASP.NET's policy for methods (-1000), which otherwise answers 405 for paths that do not exist.</summary>
    public override int Order => -2000;

    public bool AppliesToEndpoints(IReadOnlyList<Endpoint> endpoints) => endpoints.Any(IsBelowDomain);

    public IReadOnlyList<PolicyNodeEdge> GetEdges(IReadOnlyList<Endpoint> endpoints) =>
        [.. endpoints.GroupBy(IsBelowDomain).Select(static group => new PolicyNodeEdge(group.Key, [.. group]))];

    public PolicyJumpTable BuildJumpTable(int exitDestination, IReadOnlyList<PolicyJumpTableEdge> edges) =>
        new JumpTable(Destination(edges, isBelowDomain: true) ?? exitDestination, Destination(edges, isBelowDomain: false) ?? exitDestination);

    private static bool IsBelowDomain(Endpoint endpoint) => endpoint.Metadata.GetMetadata<DomainEndpointMetadata>() is not null;

    private static int? Destination(IReadOnlyList<PolicyJumpTableEdge> edges, bool isBelowDomain)
    {
        foreach (var edge in edges)
        {
            if (edge.State is bool state && state == isBelowDomain)
            {
                return edge.Destination;
            }
        }

        return null;
    }

    private sealed class JumpTable(int belowDomain, int other) : PolicyJumpTable
    {
        public override int GetDestination(HttpContext httpContext) => httpContext.Features.Get<DomainPathFeature>() is null ? other : belowDomain;
    }
}
