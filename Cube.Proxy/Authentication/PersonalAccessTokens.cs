using System.ComponentModel;
using System.Diagnostics;
using System.Net;
using Cube.Proxy.Caching;
using Cube.ServiceDefaults.Errors;
using Microsoft.Extensions.Caching.Hybrid;

namespace Cube.Proxy.Authentication;

/// <summary>
/// Personal access tokens say nothing by themselves: Identity is asked whose they are, and the answer kept for seconds under the token's
/// hash. That a token is not good is kept too: strangers ask Identity no more often for it.
/// </summary>
internal sealed class PersonalAccessTokens(HybridCache cache, IdentityClient identity)
{
    public const string Prefix = "pat_";

    /// <summary>All answers fall together: a notice names a user, and whose a token is is only known from the answer.</summary>
    public const string Tag = "pat";

    private const int SecretLength = 43;
    private static readonly string[] Tags = [Tag];

    /// <returns>Null where it is not good.</returns>
    /// <exception cref="UnavailableException">Identity does not answer.</exception>
    public async ValueTask<Caller?> FindAsync(string token, string hash, CancellationToken ct)
    {
        // What cannot be one is no question to anybody.
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
                return await state.Item1.AskAsync(state.token, cancel);
            },
            DecisionCache.Age,
            Tags,
            ct);
        return found.Caller;
    }

    private async Task<Answer> AskAsync(string token, CancellationToken ct)
    {
        var (status, body) = await identity.AskAsync("users/tokens/introspect", token, ct);
        return status switch
        {
            HttpStatusCode.OK when body.TryGetProperty("user_id", out var user) && body.TryGetProperty("token_id", out var id) =>
                new Answer(new Caller(user.GetGuid(), id.GetGuid(), id.GetGuid(), token, DateTimeOffset.MaxValue)),
            HttpStatusCode.Unauthorized => new Answer(null),
            _ => throw new UnavailableException("Identity"),
        };
    }

    [ImmutableObject(true)]
    private sealed record Answer(Caller? Caller);
}
