using System.Net;
using Cube.Proxy.Caching;
using Cube.ServiceDefaults.Errors;

namespace Cube.Proxy.Authentication;

/// <summary>
/// Verifies personal access tokens. They are opaque, so the proxy introspects them at Identity and caches the result under the token's hash for a few seconds. Results for invalid tokens are cached too, to limit the
/// requests to Identity.
/// </summary>
internal sealed class PersonalAccessTokens(DecisionCache cache, IdentityClient identity)
{
    public const string Prefix = "pat_";

    private const int SecretLength = 43;

    /// <returns>Null if the token is invalid.</returns>
    /// <exception cref="UnavailableException">Identity does not answer.</exception>
    public async ValueTask<Caller?> FindAsync(string token, string hash, CancellationToken ct)
    {
        // Tokens of another length cannot be valid.
        if (token.Length != Prefix.Length + SecretLength)
        {
            return null;
        }

        // The owner of a token is not known before introspection, so the results have no user.
        var found = await cache.GetAsync(
            new DecisionKey(DecisionKind.PersonalAccessToken, Guid.Empty, Guid.Empty, Guid.Empty, hash), (Tokens: this, Token: token), static (state, cancel) => state.Tokens.IntrospectAsync(state.Token, cancel), ct);
        return found.Caller;
    }

    private async Task<IntrospectionResult> IntrospectAsync(string token, CancellationToken ct)
    {
        var (status, body) = await identity.GetAsync("users/tokens/introspect", token, ct);
        return status switch
        {
            HttpStatusCode.OK when body.TryGetProperty("user_id", out var user) && body.TryGetProperty("token_id", out var id) =>
                new IntrospectionResult(new Caller(user.GetGuid(), id.GetGuid(), id.GetGuid(), token, DateTimeOffset.MaxValue)),
            HttpStatusCode.Unauthorized => new IntrospectionResult(null),
            _ => throw new UnavailableException("Identity"),
        };
    }

    private sealed record IntrospectionResult(Caller? Caller);
}
