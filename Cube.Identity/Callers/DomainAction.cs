namespace Cube.Identity.Callers;

/// <summary>The action that the caller must have in the domain of the route value <c>id</c>.</summary>
/// <param name="Name">An action of the schema.</param>
/// <param name="OfRole">A permission that the caller must also have on the role of the route value <c>roleId</c>, or null.</param>
internal sealed record DomainAction(string Name, string? OfRole = null);

internal static class DomainActionExtensions
{
    /// <summary>Requires the action in the domain, and accepts personal access tokens.</summary>
    public static TBuilder RequireAction<TBuilder>(this TBuilder endpoint, string action, string? ofRole = null)
        where TBuilder : IEndpointConventionBuilder => endpoint.WithMetadata(new DomainAction(action, ofRole), PersonalAccessTokenMetadata.Instance);
}
