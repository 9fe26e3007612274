using Cube.Proxy.Edge;
using Cube.ServiceDefaults.Errors;
using Cube.ServiceDefaults.Tokens;

namespace Cube.Proxy.Authentication;

internal sealed class AuthenticationStage(RequestDelegate next, TokenVerifier tokens)
{
    public async Task InvokeAsync(HttpContext context)
    {
        var token = BearerToken.Read(context.Request.Headers);
        if (token is null)
        {
            await RefuseAsync(context, OpenAiError.MissingApiKey, "Bearer");
            return;
        }

        const string invalid = "Bearer error=\"invalid_token\"";
        var verdict = token.Length == 0 ? TokenVerdict.Invalid.Instance : await tokens.VerifyAsync(token, context.RequestAborted);
        switch (verdict)
        {
            case TokenVerdict.Valid { Caller: var caller }:
                DomainRequest.Of(context).Caller = caller;
                await next(context);
                break;
            case TokenVerdict.Expired:
                await RefuseAsync(context, OpenAiError.TokenExpired, invalid);
                break;
            default:
                await RefuseAsync(context, OpenAiError.InvalidApiKey, invalid);
                break;
        }
    }

    internal static Task RefuseAsync(HttpContext context, OpenAiError error, string challenge)
    {
        context.Response.Headers.WWWAuthenticate = challenge;
        return error.WriteAsync(context);
    }
}
