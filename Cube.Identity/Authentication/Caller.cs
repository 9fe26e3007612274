namespace Cube.Identity.Authentication;

/// <summary>Who makes a request: an enabled user with a session that was not revoked. Bound into handlers from the request.</summary>
internal sealed record Caller(Guid UserId, Guid SessionId, bool IsAdministrator)
{
    public static ValueTask<Caller?> BindAsync(HttpContext context) => ValueTask.FromResult(context.Features.Get<Caller>());
}
