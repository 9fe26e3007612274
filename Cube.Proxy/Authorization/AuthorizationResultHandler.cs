using Cube.Inference.Errors;
using Cube.Proxy.Authentication;
using Cube.Proxy.Edge;
using Cube.ServiceDefaults.Errors;
using Microsoft.AspNetCore.Authentication;
using Microsoft.AspNetCore.Authorization;
using Microsoft.AspNetCore.Authorization.Policy;

namespace Cube.Proxy.Authorization;

/// <summary>Writes authorization errors: in OpenAI's format below a domain, as <c>{"error","message"}</c> for other paths.</summary>
internal sealed class AuthorizationResultHandler : IAuthorizationMiddlewareResultHandler
{
    public Task HandleAsync(RequestDelegate next, HttpContext context, AuthorizationPolicy policy, PolicyAuthorizationResult authorizeResult)
    {
        if (authorizeResult.Succeeded)
        {
            return next(context);
        }

        if (authorizeResult.Challenged)
        {
            return context.ChallengeAsync(BearerAuthenticationHandler.SchemeName);
        }

        if (!DomainPath.Matches(context))
        {
            return ManagementError.Of(StatusCodes.Status403Forbidden).WriteAsync(context, StatusCodes.Status403Forbidden);
        }

        var error = authorizeResult.AuthorizationFailure?.FailureReasons.OfType<DomainFailureReason>().FirstOrDefault()?.Error ?? OpenAiError.PermissionDenied;
        return error == OpenAiError.InvalidApiKey ? BearerAuthenticationHandler.ChallengeRevokedAsync(context) : error.WriteAsync(context);
    }
}
