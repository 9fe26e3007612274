using System.ComponentModel;
using System.Diagnostics;
using System.Net;
using System.Text.Json;
using Cube.Proxy.Authentication;
using Cube.Proxy.Caching;
using Cube.ServiceDefaults.Errors;
using Microsoft.Extensions.Caching.Hybrid;

namespace Cube.Proxy.Authorization;

/// <summary>
/// Whether a caller belongs to a domain, and whether that is open. Identity is asked with the caller's own token, which also tells whether
/// his session and his account still live. One question at a time is under way for each; no answer is no permission.
/// </summary>
internal sealed class MembershipClient(HybridCache cache, IdentityClient identity)
{
    /// <exception cref="UnavailableException">Identity does not answer.</exception>
    public async ValueTask<MembershipStatus> FindAsync(Caller caller, Guid domain, CancellationToken ct)
    {
        var answer = await cache.GetOrCreateAsync(
            $"membership/{caller.CredentialId:N}/{domain:N}",
            (this, caller, domain, Activity.Current),
            static async (state, token) =>
            {
                // The cache asks outside of the request; the question still belongs to the trace of who asked first.
                Activity.Current = state.Current;
                return new Answer(await state.Item1.AskAsync(state.caller, state.domain, token));
            },
            DecisionCache.Age,
            DecisionCache.TagsOf(caller.UserId, domain),
            ct);
        return answer.MembershipStatus;
    }

    private async Task<MembershipStatus> AskAsync(Caller caller, Guid domain, CancellationToken ct)
    {
        var (status, body) = await identity.AskAsync($"domains/{domain}/membership", caller.Token, ct);
        return status switch
        {
            HttpStatusCode.OK => Read(body, caller),
            HttpStatusCode.Unauthorized => MembershipStatus.Revoked,
            HttpStatusCode.Forbidden or HttpStatusCode.NotFound => MembershipStatus.None,
            _ => throw new UnavailableException("Identity"),
        };
    }

    private static MembershipStatus Read(JsonElement body, Caller caller)
    {
        var isHis = body.TryGetProperty("user_id", out var id) && id.ValueEquals(caller.UserId.ToString());
        var isEnabled = body.TryGetProperty("status", out var status) && status.ValueEquals("enabled");
        return (isHis, isEnabled) switch
        {
            (true, true) => MembershipStatus.Member,
            (true, false) => MembershipStatus.DomainDisabled,
            _ => MembershipStatus.None,
        };
    }

    [ImmutableObject(true)]
    private sealed record Answer(MembershipStatus MembershipStatus);
}

internal enum MembershipStatus
{
    /// <summary>A foreign domain, or one that does not exist: nobody can tell which.</summary>
    None,
    Member,
    DomainDisabled,

    /// <summary>The token is good by itself, but its session was ended or its user disabled.</summary>
    Revoked,
}
