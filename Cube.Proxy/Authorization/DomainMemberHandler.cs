using Cube.Inference.Errors;
using Cube.Proxy.Authentication;
using Cube.Proxy.Edge;
using Microsoft.AspNetCore.Authorization;

namespace Cube.Proxy.Authorization;

/// <summary>The caller is a member of the domain in the path. It is the fallback policy, so that only members learn which paths and methods a domain has.</summary>
internal sealed class DomainMemberRequirement : IAuthorizationRequirement;

internal sealed class DomainMemberHandler(MembershipClient memberships) : AuthorizationHandler<DomainMemberRequirement>
{
    protected override async Task HandleRequirementAsync(AuthorizationHandlerContext context, DomainMemberRequirement requirement)
    {
        if (context.Resource is not HttpContext http)
        {
            return;
        }

        if (!DomainPath.Matches(http))
        {
            if (http.GetEndpoint()?.Metadata.GetMetadata<DomainEndpointMetadata>() is null)
            {
                // No domain is involved: an unknown management path gets its 404.
                context.Succeed(requirement);
            }

            return;
        }

        if (Caller.Find(context.User) is not { } caller || http.Features.Get<DomainPathFeature>() is not { DomainId: var domain })
        {
            return;
        }

        switch (await memberships.FindAsync(caller, domain, http.RequestAborted))
        {
            case MembershipStatus.Member:
                http.Features.Set(new DomainMember(domain, caller));
                context.Succeed(requirement);
                break;
            case MembershipStatus.DomainDisabled:
                context.Fail(new DomainFailureReason(this, OpenAiError.DomainDisabled));
                break;
            case MembershipStatus.Revoked:
                context.Fail(new DomainFailureReason(this, OpenAiError.InvalidApiKey));
                break;
            default:
                context.Fail(new DomainFailureReason(this, OpenAiError.PermissionDenied));
                break;
        }
    }
}

/// <summary>Why a member's, or a stranger's, request to a domain was rejected.</summary>
internal sealed class DomainFailureReason(IAuthorizationHandler handler, OpenAiError error) : AuthorizationFailureReason(handler, error.Code)
{
    public OpenAiError Error => error;
}
