using Cube.Proxy.Authentication;
using Microsoft.AspNetCore.Authorization;

namespace Cube.Proxy.Authorization;

/// <summary>Requires that the caller is a platform administrator and uses an access token. Personal access tokens are rejected.</summary>
internal sealed class PlatformAdministratorRequirement : IAuthorizationRequirement;

internal sealed class PlatformAdministratorHandler(PlatformAdministrators administrators) : AuthorizationHandler<PlatformAdministratorRequirement>
{
    protected override async Task HandleRequirementAsync(AuthorizationHandlerContext context, PlatformAdministratorRequirement requirement)
    {
        if (context.Resource is HttpContext http && Caller.Find(context.User) is { } caller && await administrators.ContainsAsync(caller, http.RequestAborted))
        {
            context.Succeed(requirement);
        }
    }
}
