using Cube.Proxy.Authorization;

namespace Cube.Proxy.Authentication;

/// <summary>Who makes a request, as his token says; whether he still may is asked of Identity.</summary>
/// <param name="UserId">The user.</param>
/// <param name="CredentialId">His session, or his personal access token: what is decided is decided for it.</param>
/// <param name="PatId">The personal access token, where he uses one.</param>
/// <param name="Token">The token itself: the proxy has no credential of its own at Identity and asks with the caller's.</param>
/// <param name="ExpiresAt">When an access token expires. A personal one is asked about every few seconds.</param>
internal sealed record Caller(Guid UserId, Guid CredentialId, Guid? PatId, string Token, DateTimeOffset ExpiresAt)
{
    /// <summary>All that is decided for him falls with it.</summary>
    public string Tag { get; } = DecisionCache.TagOfUser(UserId);
}
