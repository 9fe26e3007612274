using Cube.Inference.Errors;
using Cube.Proxy.Edge;
using Cube.ServiceDefaults.Tokens;
using Microsoft.AspNetCore.Authentication;
using Microsoft.AspNetCore.Authorization;

namespace Cube.Proxy.Authentication;

/// <summary>Verifies the bearer token of a request.</summary>
internal sealed class BearerAuthenticator(TokenVerifier tokens)
{
    /// <returns>No result without a token. After a failure, the feature <see cref="AuthenticationFailure"/> has the error.</returns>
    public ValueTask<AuthenticateResult> AuthenticateAsync(HttpContext context)
    {
        // The fallback policy names this scheme too. It requires nothing outside of domains, so no token is verified there.
        var isRequired = DomainPath.Matches(context) || context.GetEndpoint()?.Metadata.GetMetadata<IAuthorizeData>() is not null || context.GetEndpoint()?.Metadata.GetMetadata<AuthorizationPolicy>() is not null;
        if (!isRequired || BearerToken.Read(context.Request.Headers) is not { } token)
        {
            return new(AuthenticateResult.NoResult());
        }

        if (token.Length == 0)
        {
            return new(Fail(context, OpenAiError.InvalidApiKey));
        }

        var verification = tokens.VerifyAsync(token, context.RequestAborted);
        return verification.IsCompletedSuccessfully ? new(ToResult(context, verification.Result)) : new(WaitAsync(context, verification));
    }

    private static async Task<AuthenticateResult> WaitAsync(HttpContext context, ValueTask<TokenVerification> verification) => ToResult(context, await verification);

    private static AuthenticateResult ToResult(HttpContext context, TokenVerification verification) => verification switch
    {
        TokenVerification.Valid { Caller: var caller } => caller.ToAuthenticateResult(),
        TokenVerification.Expired => Fail(context, OpenAiError.TokenExpired),
        _ => Fail(context, OpenAiError.InvalidApiKey),
    };

    private static AuthenticateResult Fail(HttpContext context, OpenAiError error)
    {
        context.Features.Set(new AuthenticationFailure(error));
        return AuthenticateResult.Fail(error.Code);
    }
}

/// <summary>Why the token of a request was rejected.</summary>
internal sealed record AuthenticationFailure(OpenAiError Error);
