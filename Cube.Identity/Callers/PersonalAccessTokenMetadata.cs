namespace Cube.Identity.Callers;

/// <summary>Marks an endpoint that accepts personal access tokens. Any other endpoint answers them with 403.</summary>
internal sealed class PersonalAccessTokenMetadata
{
    public static PersonalAccessTokenMetadata Instance { get; } = new();
}

internal static class PersonalAccessTokenExtensions
{
    public static TBuilder AllowPersonalAccessTokens<TBuilder>(this TBuilder endpoint)
        where TBuilder : IEndpointConventionBuilder => endpoint.WithMetadata(PersonalAccessTokenMetadata.Instance);
}
