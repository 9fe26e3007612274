using System.Security.Claims;
using Microsoft.AspNetCore.Authentication;

namespace Cube.Proxy.Authentication;

/// <summary>The user of a verified token. Identity decides separately whether the user still has access.</summary>
/// <param name="UserId">The user's id.</param>
/// <param name="CredentialId">The id of the session or of the personal access token. Decisions are cached for it.</param>
/// <param name="PatId">The id of the personal access token; null for an access token.</param>
/// <param name="Token">The token. The proxy has no credential of its own at Identity and uses the caller's token.</param>
/// <param name="ExpiresAt">The expiry of an access token. Personal access tokens are verified again every few seconds.</param>
internal sealed record Caller(Guid UserId, Guid CredentialId, Guid? PatId, string Token, DateTimeOffset ExpiresAt)
{
    private ClaimsPrincipal? _principal;
    private AuthenticateResult? _result;

    /// <summary>The caller as ASP.NET's user. It is created once for each verified token.</summary>
    public ClaimsPrincipal ToPrincipal() => _principal ??= new ClaimsPrincipal(new CallerIdentity(this));

    /// <summary>The result of a successful authentication. It is created once for each verified token.</summary>
    public AuthenticateResult ToAuthenticateResult() => _result ??= AuthenticateResult.Success(new AuthenticationTicket(ToPrincipal(), BearerAuthenticationHandler.SchemeName));

    /// <exception cref="InvalidOperationException">The endpoint does not require an authenticated caller.</exception>
    public static Caller Of(HttpContext context) => Find(context.User) ?? throw new InvalidOperationException("The request has no authenticated caller.");

    public static Caller? Find(ClaimsPrincipal user) => (user.Identity as CallerIdentity)?.Caller;

    private sealed class CallerIdentity(Caller caller) : ClaimsIdentity([new Claim("sub", caller.UserId.ToString())], BearerAuthenticationHandler.SchemeName, "sub", null)
    {
        public Caller Caller => caller;
    }
}
