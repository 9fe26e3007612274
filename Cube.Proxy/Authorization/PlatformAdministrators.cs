using System.Net;
using Cube.Proxy.Authentication;
using Cube.ServiceDefaults.Errors;

namespace Cube.Proxy.Authorization;

/// <summary>Gets from Identity whether a caller is a platform administrator. The result is not cached, because such requests are rare and their effects are large.</summary>
internal sealed class PlatformAdministrators(IdentityClient identity)
{
    /// <returns>False also for a personal access token.</returns>
    /// <exception cref="UnavailableException">Identity does not answer.</exception>
    public async Task<bool> ContainsAsync(Caller caller, CancellationToken ct)
    {
        if (caller.PatId is not null)
        {
            return false;
        }

        var (status, profile) = await identity.GetAsync("users/profile", caller.Token, ct);
        return status == HttpStatusCode.OK && profile.TryGetProperty("role", out var role) && role.ValueEquals("admin")
            && profile.TryGetProperty("id", out var id) && id.ValueEquals(caller.UserId.ToString());
    }
}
