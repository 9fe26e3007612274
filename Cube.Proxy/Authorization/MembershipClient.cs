using System.Net;
using System.Text.Json;
using Cube.Proxy.Authentication;
using Cube.Proxy.Caching;
using Cube.ServiceDefaults.Errors;

namespace Cube.Proxy.Authorization;

/// <summary>
/// Gets from Identity whether a caller is a member of a domain and whether the domain is enabled. The request uses the caller's token, so it also detects a revoked session and a disabled user. Concurrent requests for
/// the same caller and domain share one call. If Identity does not answer, access is denied.
/// </summary>
internal sealed class MembershipClient(DecisionCache cache, IdentityClient identity)
{
    /// <exception cref="UnavailableException">Identity does not answer.</exception>
    public ValueTask<Membership> FindAsync(Caller caller, Guid domain, CancellationToken ct) => cache.GetAsync(
        new DecisionKey(DecisionKind.Membership, caller.UserId, caller.CredentialId, domain),
        (Client: this, Caller: caller, Domain: domain),
        static async (state, token) => new Membership(await state.Client.FetchAsync(state.Caller, state.Domain, token), new DomainMember(state.Domain, state.Caller)),
        ct);

    private async Task<MembershipStatus> FetchAsync(Caller caller, Guid domain, CancellationToken ct)
    {
        var (status, body) = await identity.GetAsync($"domains/{domain}/membership", caller.Token, ct);
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
        var isCaller = body.TryGetProperty("user_id", out var id) && id.ValueEquals(caller.UserId.ToString());
        var isEnabled = body.TryGetProperty("status", out var status) && status.ValueEquals("enabled");
        return (isCaller, isEnabled) switch
        {
            (true, true) => MembershipStatus.Member,
            (true, false) => MembershipStatus.DomainDisabled,
            _ => MembershipStatus.None,
        };
    }
}

/// <param name="Status">The membership of the caller in the domain.</param>
/// <param name="Member">The caller and the domain, which are valid if <see cref="Status"/> is <see cref="MembershipStatus.Member"/>.</param>
internal sealed record Membership(MembershipStatus Status, DomainMember Member) : IBriefResult
{
    /// <summary>Identity rejects a session also because of its clock, for example in the last moment of a token.</summary>
    public bool IsBrief => Status != MembershipStatus.Member;
}

/// <summary>The membership of a caller in a domain.</summary>
internal enum MembershipStatus
{
    /// <summary>The caller is not a member, or the domain does not exist. Identity does not distinguish the two.</summary>
    None,
    Member,
    DomainDisabled,

    /// <summary>The token is valid, but its session was ended or its user was disabled.</summary>
    Revoked,
}
