using Cube.Proxy.Authentication;
using Cube.Proxy.Edge;
using Cube.Proxy.Management;
using Cube.Proxy.Routing;
using Cube.ServiceDefaults.Errors;
using Microsoft.AspNetCore.Http.Features;

namespace Cube.Proxy.Authorization;

/// <summary>
/// Takes the tenant out of the path and lets only its members on; tells those what there is, and which of it is theirs to use. Refuses in
/// the order membership, path, method, permission, so that strangers learn nothing of a domain.
/// </summary>
internal sealed class AuthorizationStage(RequestDelegate next, MembershipClient memberships, Permissions permissions, PlatformAdministrators administrators)
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
        var caller = request.Caller!;
        (request.DomainId, request.Rest) = (domain, rest);
        switch (await memberships.FindAsync(caller, domain, context.RequestAborted))
        {
            case MembershipStatus.Member:
                break;
            case MembershipStatus.DomainDisabled:
                await OpenAiError.DomainDisabled.WriteAsync(context);
                return;
            case MembershipStatus.Revoked:
                await AuthenticationStage.RefuseAsync(context, OpenAiError.InvalidApiKey, "Bearer error=\"invalid_token\"");
                return;
            default:
                await OpenAiError.PermissionDenied.WriteAsync(context);
                return;
        }

        switch (InferenceEndpoints.Find(context.Request.Method, rest))
        {
            case EndpointMatch.Found { Endpoint: var endpoint, ModelId: var modelId }:
                (request.Endpoint, request.ModelId) = (endpoint, modelId);
                break;
            case EndpointMatch.OtherMethod { Allowed: var allowed }:
                context.Response.Headers.Allow = allowed;
                await OpenAiError.MethodNotAllowed.WriteAsync(context);
                return;
            default:
                await OpenAiError.UnknownUrl.WriteAsync(context);
                return;
        }

        request.Access = request.Endpoint.IsForAdministrators
            ? new Access(await administrators.IsOneAsync(caller, context.RequestAborted), RoleHasAllModels: true, TokenHasAllModels: true)
            : await permissions.FindAsync(caller, domain, request.Endpoint.Action, context.RequestAborted);
        await (request.Access.Opens(request.Endpoint) ? next(context) : OpenAiError.InsufficientPermissions.WriteAsync(context));
    }
}
