using System.Security.Claims;

namespace Cube.Proxy.Authentication;

/// <summary>The user that a verified token names. Whether the user still has access is asked of Identity.</summary>
/// <param name="UserId">The user.</param>
/// <param name="CredentialId">The session, or the personal access token: decisions are cached for it.</param>
/// <param name="PatId">The personal access token, where the caller uses one.</param>
/// <param name="Token">The token. The proxy has no credential of its own at Identity and asks with the caller's.</param>
/// <param name="ExpiresAt">When an access token expires. A personal one is verified again every few seconds.</param>
internal sealed record Caller(Guid UserId, Guid CredentialId, Guid? PatId, string Token, DateTimeOffset ExpiresAt)
{
    private ClaimsPrincipal? _principal;

    /// <summary>The caller as ASP.NET's user. Created once for each verified token. A method, because the cache of personal access tokens measures callers by their public properties.</summary>
    public ClaimsPrincipal ToPrincipal() => _principal ??= new ClaimsPrincipal(new CallerIdentity(this));

    /// <exception cref="InvalidOperationException">The endpoint does not require an authenticated caller.</exception>
    public static Caller Of(HttpContext context) => Find(context.User) ?? throw new InvalidOperationException("The request has no authenticated caller.");

    public static Caller? Find(ClaimsPrincipal user) => (user.Identity as CallerIdentity)?.Caller;

    private sealed class CallerIdentity(Caller caller) : ClaimsIdentity([new Claim("sub", caller.UserId.ToString())], BearerAuthenticationHandler.SchemeName, "sub", null)
    {
        public Caller Caller => caller;
    }
}
