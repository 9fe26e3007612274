using System.Net;
using Cube.Proxy.Authentication;
using Cube.ServiceDefaults.Errors;

namespace Cube.Proxy.Authorization;

/// <summary>Asks Identity who is an administrator of the platform. The answer is not cached: such requests are rare, and what they change matters.</summary>
internal sealed class PlatformAdministrators(IdentityClient identity)
{
    /// <exception cref="UnavailableException">Identity does not answer.</exception>
    public async Task<bool> ContainsAsync(Caller caller, CancellationToken ct)
    {
        if (caller.PatId is not null)
        {
            return false;
        }

        var (status, profile) = await identity.AskAsync("users/profile", caller.Token, ct);
        return status == HttpStatusCode.OK && profile.TryGetProperty("role", out var role) && role.ValueEquals("admin")
            && profile.TryGetProperty("id", out var id) && id.ValueEquals(caller.UserId.ToString());
    }
}
