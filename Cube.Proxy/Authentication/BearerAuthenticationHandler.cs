using System.Text.Encodings.Web;
using Cube.Inference.Errors;
using Cube.Proxy.Edge;
using Cube.ServiceDefaults.Errors;
using Cube.ServiceDefaults.Tokens;
using Microsoft.AspNetCore.Authentication;
using Microsoft.AspNetCore.Authorization;
using Microsoft.Extensions.Options;

namespace Cube.Proxy.Authentication;

/// <summary>Authenticates the bearer token of a request (RFC 6750): an access token or a personal access token, for inference and management.</summary>
internal sealed class BearerAuthenticationHandler(IOptionsMonitor<AuthenticationSchemeOptions> options, ILoggerFactory logger, UrlEncoder encoder, TokenVerifier tokens)
    : AuthenticationHandler<AuthenticationSchemeOptions>(options, logger, encoder)
{
    public const string SchemeName = "Bearer";
    private const string InvalidTokenChallenge = "Bearer error=\"invalid_token\"";

    private OpenAiError? _failure;

    protected override async Task<AuthenticateResult> HandleAuthenticateAsync()
    {
        // The fallback policy names this scheme too. It requires nothing outside of domains, so no token is verified there.
        var isRequired = DomainPath.Matches(Context) || Context.GetEndpoint()?.Metadata.GetMetadata<IAuthorizeData>() is not null || Context.GetEndpoint()?.Metadata.GetMetadata<AuthorizationPolicy>() is not null;
        var token = isRequired ? BearerToken.Read(Request.Headers) : null;
        if (token is null)
        {
            return AuthenticateResult.NoResult();
        }

        var verification = token.Length == 0 ? TokenVerification.Invalid.Instance : await tokens.VerifyAsync(token, Context.RequestAborted);
        if (verification is TokenVerification.Valid { Caller: var caller })
        {
            return AuthenticateResult.Success(new AuthenticationTicket(caller.ToPrincipal(), SchemeName));
        }

        _failure = verification is TokenVerification.Expired ? OpenAiError.TokenExpired : OpenAiError.InvalidApiKey;
        return AuthenticateResult.Fail(_failure.Code);
    }

    protected override Task HandleChallengeAsync(AuthenticationProperties properties)
    {
        if (!DomainPath.Matches(Context))
        {
            Response.Headers.WWWAuthenticate = SchemeName;
            return ManagementError.Of(StatusCodes.Status401Unauthorized).WriteAsync(Context, StatusCodes.Status401Unauthorized);
        }

        return _failure is null ? ChallengeAsync(Context, OpenAiError.MissingApiKey, SchemeName) : ChallengeAsync(Context, _failure, InvalidTokenChallenge);
    }

    /// <summary>Rejects a token whose signature is valid but which was revoked.</summary>
    public static Task ChallengeRevokedAsync(HttpContext context) => ChallengeAsync(context, OpenAiError.InvalidApiKey, InvalidTokenChallenge);

    private static Task ChallengeAsync(HttpContext context, OpenAiError error, string challenge)
    {
        context.Response.Headers.WWWAuthenticate = challenge;
        return error.WriteAsync(context);
    }
}
