using Cube.Inference.Errors;
using Cube.Proxy.Authentication;
using Cube.Proxy.Edge;
using Microsoft.AspNetCore.Authorization;

namespace Cube.Proxy.Authorization;

/// <summary>Requires that the caller is a member of the domain in the path. It is the fallback policy, so that only members can find out which paths and methods exist below a domain.</summary>
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
                // The path has no domain: unknown management paths are answered with 404.
                context.Succeed(requirement);
            }

            return;
        }

        if (Caller.Find(context.User) is not { } caller || http.Features.Get<DomainPathFeature>() is not { DomainId: var domain })
        {
            return;
        }

        var membership = await memberships.FindAsync(caller, domain, http.RequestAborted);
        switch (membership.Status)
        {
            case MembershipStatus.Member:
                // The cached result can have an earlier token of the same session.
                http.Features.Set(ReferenceEquals(membership.Member.Caller, caller) ? membership.Member : new DomainMember(domain, caller));
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

/// <summary>The error of a rejected request to a domain.</summary>
internal sealed class DomainFailureReason(IAuthorizationHandler handler, OpenAiError error) : AuthorizationFailureReason(handler, error.Code)
{
    public OpenAiError Error => error;
}
