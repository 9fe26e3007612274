using System.Text.Encodings.Web;
using Cube.Inference.Errors;
using Cube.Proxy.Edge;
using Cube.ServiceDefaults.Errors;
using Microsoft.AspNetCore.Authentication;
using Microsoft.Extensions.Options;

namespace Cube.Proxy.Authentication;

/// <summary>The authentication scheme of bearer tokens (RFC 6750): access tokens and personal access tokens, for inference and management. <see cref="BearerAuthenticator"/> verifies them; this handler writes the errors.</summary>
internal sealed class BearerAuthenticationHandler(IOptionsMonitor<AuthenticationSchemeOptions> options, ILoggerFactory logger, UrlEncoder encoder, BearerAuthenticator authenticator)
    : AuthenticationHandler<AuthenticationSchemeOptions>(options, logger, encoder)
{
    public const string SchemeName = "Bearer";
    private const string InvalidTokenChallenge = "Bearer error=\"invalid_token\"";

    protected override async Task<AuthenticateResult> HandleAuthenticateAsync() => await authenticator.AuthenticateAsync(Context);

    protected override Task HandleChallengeAsync(AuthenticationProperties properties)
    {
        if (!DomainPath.Matches(Context))
        {
            Response.Headers.WWWAuthenticate = SchemeName;
            return ManagementError.Of(StatusCodes.Status401Unauthorized).WriteAsync(Context, StatusCodes.Status401Unauthorized);
        }

        return Context.Features.Get<AuthenticationFailure>() is { Error: var error } ? ChallengeAsync(Context, error, InvalidTokenChallenge) : ChallengeAsync(Context, OpenAiError.MissingApiKey, SchemeName);
    }

    /// <summary>Rejects a token whose signature is valid but which was revoked.</summary>
    public static Task ChallengeRevokedAsync(HttpContext context) => ChallengeAsync(context, OpenAiError.InvalidApiKey, InvalidTokenChallenge);

    private static Task ChallengeAsync(HttpContext context, OpenAiError error, string challenge)
    {
        context.Response.Headers.WWWAuthenticate = challenge;
        return error.WriteAsync(context);
    }
}
