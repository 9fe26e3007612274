using System.ComponentModel;
using System.Diagnostics;
using System.Net;
using Cube.Proxy.Caching;
using Cube.ServiceDefaults.Errors;
using Microsoft.Extensions.Caching.Hybrid;

namespace Cube.Proxy.Authentication;

/// <summary>
/// Verifies personal access tokens. They are opaque, so the proxy introspects them at Identity and caches the result under the token's hash for a few seconds. Results for invalid tokens are cached too, to limit the
/// requests to Identity.
/// </summary>
internal sealed class PersonalAccessTokens(HybridCache cache, IdentityClient identity)
{
    public const string Prefix = "pat_";

    /// <summary>The tag of all cached results. A notification names a user, but the owner of a token is not known before introspection, so all results are removed together.</summary>
    public const string Tag = "pat";

    private const int SecretLength = 43;
    private static readonly string[] Tags = [Tag];

    /// <returns>Null if the token is invalid.</returns>
    /// <exception cref="UnavailableException">Identity does not answer.</exception>
    public async ValueTask<Caller?> FindAsync(string token, string hash, CancellationToken ct)
    {
        // Tokens of another length cannot be valid.
        if (token.Length != Prefix.Length + SecretLength)
        {
            return null;
        }

        var found = await cache.GetOrCreateAsync(
            $"pat/{hash}",
            (this, token, Activity.Current),
            static async (state, cancel) =>
            {
                Activity.Current = state.Current;
                return await state.Item1.IntrospectAsync(state.token, cancel);
            },
            DecisionCache.Age,
            Tags,
            ct);
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

    [ImmutableObject(true)]
    private sealed record IntrospectionResult(Caller? Caller);
}
