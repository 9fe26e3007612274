using Cube.Attestation.Policy;
using Cube.Proxy.Configuration.Catalogs;
using Cube.Proxy.Configuration.Routes;

namespace Cube.Proxy.Configuration;

/// <summary>A stored row that the proxy cannot load.</summary>
/// <param name="Kind"><c>policy</c>, <c>route</c> or <c>catalogue</c>.</param>
/// <param name="Name">The scope of a policy, the name of a route, or the domain of a catalog.</param>
/// <param name="Version">Changes with each update of the row.</param>
/// <param name="Problem">The reason, for platform administrators.</param>
internal sealed record UnreadableRow(string Kind, string Name, string Version, string Problem);

/// <summary>The active configuration from one database snapshot, and the rows that the proxy cannot load.</summary>
internal sealed record StoredConfiguration(
    IReadOnlyCollection<NamedPolicy> Policies, IReadOnlyCollection<Route> Routes, IReadOnlyCollection<Catalog> Catalogs, IReadOnlyCollection<UnreadableRow> Unreadable)
{
    public static StoredConfiguration Empty { get; } = new([], [], [], []);
}
