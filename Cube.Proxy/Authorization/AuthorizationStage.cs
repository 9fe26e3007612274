using Cube.Proxy.Authentication;
using Cube.Proxy.Edge;
using Cube.ServiceDefaults.Errors;
using Microsoft.AspNetCore.Http.Features;

namespace Cube.Proxy.Authorization;

/// <summary>Takes the tenant out of the path and lets only its members on, before it is looked at whether the path leads anywhere.</summary>
internal sealed class AuthorizationStage(RequestDelegate next, Memberships memberships)
{
    public async Task InvokeAsync(HttpContext context)
    {
        var target = context.Features.GetRequiredFeature<IHttpRequestFeature>().RawTarget;
        if (!DomainPath.TryParse(target, out var domain, out var rest))
        {
            await OpenAiError.InvalidPath.WriteAsync(context);
            return;
        }

        var request = DomainRequest.Of(context);
        (request.DomainId, request.Rest) = (domain, rest);
        switch (await memberships.FindAsync(request.Caller!, domain, context.RequestAborted))
        {
            case Membership.Member:
                await next(context);
                break;
            case Membership.DomainDisabled:
                await OpenAiError.DomainDisabled.WriteAsync(context);
                break;
            case Membership.Revoked:
                await AuthenticationStage.RefuseAsync(context, OpenAiError.InvalidApiKey, "Bearer error=\"invalid_token\"");
                break;
            default:
                await OpenAiError.PermissionDenied.WriteAsync(context);
                break;
        }
    }
}
