using Cube.Proxy.Authentication;
using Microsoft.AspNetCore.Authentication;
using Microsoft.AspNetCore.Authorization;
using Microsoft.AspNetCore.Authorization.Policy;
using Microsoft.Extensions.Options;

namespace Cube.Proxy.Authorization;

/// <summary>
/// Evaluates authorization policies as ASP.NET's <see cref="PolicyEvaluator"/> does. All policies have one scheme, so that no scheme is looked up and no authentication handler is created for each request, which takes
/// longer than the decision itself.
/// </summary>
internal sealed class DomainPolicyEvaluator(BearerAuthenticator authenticator, IEnumerable<IAuthorizationHandler> handlers, IOptions<AuthorizationOptions> options) : IPolicyEvaluator
{
    private readonly IAuthorizationHandler[] _handlers = [.. handlers];

    public async Task<AuthenticateResult> AuthenticateAsync(AuthorizationPolicy policy, HttpContext context)
    {
        var result = await authenticator.AuthenticateAsync(context);
        if (result.Succeeded)
        {
            context.User = result.Principal;
        }

        return result;
    }

    public async Task<PolicyAuthorizationResult> AuthorizeAsync(AuthorizationPolicy policy, AuthenticateResult authenticationResult, HttpContext context, object? resource)
    {
        var evaluation = new AuthorizationHandlerContext(policy.Requirements, context.User, resource);
        foreach (var handler in _handlers)
        {
            await handler.HandleAsync(evaluation);
            if (evaluation.HasFailed && !options.Value.InvokeHandlersAfterFailure)
            {
                break;
            }
        }

        return evaluation.HasSucceeded ? PolicyAuthorizationResult.Success()
            : !authenticationResult.Succeeded ? PolicyAuthorizationResult.Challenge()
            : PolicyAuthorizationResult.Forbid(evaluation.HasFailed ? AuthorizationFailure.Failed(evaluation.FailureReasons) : AuthorizationFailure.Failed(evaluation.PendingRequirements));
    }
}
