namespace Cube.Proxy.Authentication;

/// <summary>Who makes a request, as his access token says; whether he still may is asked of Identity.</summary>
/// <param name="Token">The access token itself: the proxy has no credential of its own and asks Identity with the caller's.</param>
internal sealed record Caller(Guid UserId, Guid SessionId, string Token, DateTimeOffset ExpiresAt);
