using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.IdentityModel.Tokens;

namespace Cube.Identity.Keys;

internal static class KeyApi
{
    public static IEndpointRouteBuilder MapKeys(this IEndpointRouteBuilder endpoints)
    {
        endpoints.MapGet("/keys/.well-known/jwks.json", Jwks).AllowAnonymous();
        return endpoints;
    }

    internal sealed record Jwk(string Kty, string Crv, string X, string Y, string Use, string Alg, string Kid);

    internal sealed record JwkSet(IEnumerable<Jwk> Keys);

    private static Ok<JwkSet> Jwks(KeyRing keys, HttpResponse response)
    {
        response.Headers.CacheControl = "public, max-age=900, stale-while-revalidate=60";
        return TypedResults.Ok(new JwkSet(keys.Published.Select(ToJwk)));
    }

    private static Jwk ToJwk(SigningKey key)
    {
        var point = key.Public.Q;
        return new("EC", "P-256", Base64UrlEncoder.Encode(point.X), Base64UrlEncoder.Encode(point.Y), "sig", "ES256", key.Kid);
    }
}
