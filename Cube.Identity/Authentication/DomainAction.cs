namespace Cube.Identity.Authentication;

/// <summary>What a caller needs in the domain of the route value <c>id</c>.</summary>
/// <param name="Name">An action of the schema.</param>
/// <param name="OfRole">A permission on the role of the route value <c>roleId</c> that is needed too, or null.</param>
internal sealed record DomainAction(string Name, string? OfRole = null);

internal static class DomainActionExtensions
{
    /// <summary>The endpoint is for who has this action in the domain, with whatever kind of token.</summary>
    public static TBuilder RequireAction<TBuilder>(this TBuilder endpoint, string action, string? ofRole = null)
        where TBuilder : IEndpointConventionBuilder => endpoint.WithMetadata(new DomainAction(action, ofRole), TakesPersonalTokens.Instance);
}
