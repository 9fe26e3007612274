namespace Cube.Identity.Callers;

/// <summary>The authenticated caller: an enabled user with an active session or a personal access token. Endpoint handlers receive it as a parameter.</summary>
/// <param name="UserId">The user.</param>
/// <param name="SessionId">The session; empty for a personal access token.</param>
/// <param name="IsAdministrator">Whether the caller acts as an administrator of the platform; false for a personal access token.</param>
/// <param name="PatId">The personal access token, or null for a session.</param>
internal sealed record Caller(Guid UserId, Guid SessionId, bool IsAdministrator, Guid? PatId = null)
{
    public static ValueTask<Caller?> BindAsync(HttpContext context) => ValueTask.FromResult(context.Features.Get<Caller>());
}
