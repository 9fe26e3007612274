using Cube.Attestation.Policy;
using Cube.Proxy.Configuration.Catalogs;
using Cube.Proxy.Configuration.Policies;
using Cube.Proxy.Configuration.Routes;

namespace Cube.Proxy.Configuration;

/// <summary>A stored row that this proxy cannot load.</summary>
/// <param name="Kind"><c>policy</c>, <c>route</c> or <c>catalog</c>.</param>
/// <param name="Name">The scope of a policy, the name of a route, the domain of a catalog.</param>
/// <param name="Mark">Changes with the row.</param>
/// <param name="Problem">Why, for administrators of the platform.</param>
internal sealed record Unreadable(string Kind, string Name, string Mark, string Problem);

/// <summary>All that is in force at one moment, and the rows that cannot be loaded.</summary>
internal sealed record StoredConfiguration(IReadOnlyCollection<NamedPolicy> Policies, IReadOnlyCollection<Route> Routes, IReadOnlyCollection<Catalog> Catalogs, IReadOnlyCollection<Unreadable> Unreadable)
{
    public static StoredConfiguration Empty { get; } = new([], [], [], []);
}
