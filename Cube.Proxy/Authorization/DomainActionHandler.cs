using Cube.Inference.Errors;
using Microsoft.AspNetCore.Authorization;

namespace Cube.Proxy.Authorization;

/// <summary>Requires that the caller's role, and the scopes of a personal access token, allow an action in the domain.</summary>
/// <param name="Action">The name of the action in the authorization schema; null if only platform administrators are allowed.</param>
internal sealed record DomainActionRequirement(string? Action) : IAuthorizationRequirement
{
    /// <summary>
    /// Whether a scope of the token must include the action for the whole domain, because the endpoint does not concern single models. Endpoints for models check the scope for each model instead.
    /// </summary>
    public bool NeedsWholeDomain { get; init; }

    /// <summary>Whether the role must not be limited to named models. A catalog can map any name to any model.</summary>
    public bool NeedsAllModels { get; init; }
}

internal sealed class DomainActionHandler(Permissions permissions, PlatformAdministrators administrators) : AuthorizationHandler<DomainActionRequirement>
{
    protected override async Task HandleRequirementAsync(AuthorizationHandlerContext context, DomainActionRequirement requirement)
    {
        if (context.Resource is not HttpContext http || http.Features.Get<DomainMember>() is not { } member)
        {
            return;
        }

        var access = requirement.Action is { } action
            ? await permissions.FindAsync(member, action, http.RequestAborted)
            : new Access(await administrators.ContainsAsync(member.Caller, http.RequestAborted), RoleHasAllModels: true, TokenHasAllModels: true);
        if (access.IsAllowed && (access.TokenHasAllModels || !requirement.NeedsWholeDomain) && (access.RoleHasAllModels || !requirement.NeedsAllModels))
        {
            http.Features.Set(access);
            context.Succeed(requirement);
        }
        else
        {
            context.Fail(new DomainFailureReason(this, OpenAiError.InsufficientPermissions));
        }
    }
}
