namespace Cube.Identity.Authentication;

/// <summary>Who makes a request: an enabled user with a session that was not revoked, or with a personal access token. Bound into handlers from the request.</summary>
/// <param name="UserId">The user.</param>
/// <param name="SessionId">His session; empty where he uses a personal access token.</param>
/// <param name="IsAdministrator">Whether he acts as an administrator of the platform. A personal access token never does.</param>
/// <param name="PatId">The personal access token that he uses.</param>
internal sealed record Caller(Guid UserId, Guid SessionId, bool IsAdministrator, Guid? PatId = null)
{
    public static ValueTask<Caller?> BindAsync(HttpContext context) => ValueTask.FromResult(context.Features.Get<Caller>());
}
