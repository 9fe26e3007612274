using Cube.Identity.Configuration;
using Cube.Identity.Keys;
using Cube.ServiceDefaults.Tokens;
using Microsoft.Extensions.Options;
using Microsoft.IdentityModel.JsonWebTokens;
using Microsoft.IdentityModel.Tokens;

namespace Cube.Identity.Tokens;

internal sealed class TokenIssuer(KeyRing keys, IOptions<IdentityOptions> options, TimeProvider time)
{
    private static readonly JsonWebTokenHandler Handler = new() { SetDefaultTimesOnTokenCreation = false };

    /// <param name="session">The session and its user.</param>
    /// <param name="refreshId">The <c>jti</c> of the refresh token, which makes it the current one of its family.</param>
    public TokenPair Issue(SessionOwner session, Guid refreshId) => new(
        Create(session, Guid.NewGuid(), TokenFormat.AccessTyp, TokenFormat.AccessType, options.Value.AccessTokenLifetime),
        Create(session, refreshId, TokenFormat.RefreshTyp, TokenFormat.RefreshType, options.Value.RefreshTokenLifetime),
        "Bearer");

    private string Create(SessionOwner session, Guid id, string typ, int type, TimeSpan lifetime)
    {
        var now = time.GetUtcNow().UtcDateTime;
        return Handler.CreateToken(new SecurityTokenDescriptor
        {
            TokenType = typ,
            Issuer = TokenFormat.Issuer,
            Audience = TokenFormat.Audience,
            IssuedAt = now,
            NotBefore = now,
            Expires = now + lifetime,
            SigningCredentials = new SigningCredentials(keys.Current.Security, TokenFormat.Algorithm),
            Claims = new Dictionary<string, object>
            {
                [JwtRegisteredClaimNames.Sub] = session.UserId.ToString(),
                [JwtRegisteredClaimNames.Jti] = id.ToString(),
                [TokenFormat.SessionClaim] = session.SessionId.ToString(),
                [TokenFormat.TypeClaim] = type,
                [TokenFormat.RoleClaim] = session.IsAdministrator ? 2 : 1,
                [TokenFormat.VerifiedClaim] = true,
            },
        });
    }
}

/// <summary>The response to a login or a refresh.</summary>
internal sealed record TokenPair(string AccessToken, string RefreshToken, string AccessType);
