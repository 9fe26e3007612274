using Cube.Inference.Errors;
using Microsoft.AspNetCore.Authorization;

namespace Cube.Proxy.Authorization;

/// <summary>The caller's role, and the scopes of a personal access token, allow an action in the domain.</summary>
/// <param name="Action">The name in the authorization schema; null where only administrators of the platform are allowed.</param>
internal sealed record DomainActionRequirement(string? Action) : IAuthorizationRequirement
{
    /// <summary>
    /// The endpoint names no single model, so a scope of the token must have the action for the whole domain. Endpoints of models ask for the scope of each model that they name or list.
    /// </summary>
    public bool NeedsWholeDomain { get; init; }

    /// <summary>The role must not be limited to named models: a catalog decides what every model's name means.</summary>
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
