using Microsoft.IdentityModel.Tokens;

namespace Cube.ServiceDefaults.Tokens;

/// <summary>
/// The form of Cube's JWTs: what Identity issues and what everybody accepts. Algorithm, issuer, audience and both type marks
/// (header <c>typ</c> as in RFC 9068, claim <c>type</c>) are pinned, so that no token can stand in for one of another kind.
/// </summary>
public static class TokenFormat
{
    public const string Issuer = "cube";
    public const string Audience = "cube";
    public const string Algorithm = SecurityAlgorithms.EcdsaSha256;

    /// <summary>Header <c>typ</c> of an access token.</summary>
    public const string AccessTyp = "at+jwt";

    /// <summary>Header <c>typ</c> of a refresh token.</summary>
    public const string RefreshTyp = "rt+jwt";

    /// <summary>Claim <c>type</c> of an access token.</summary>
    public const int AccessType = 0;

    /// <summary>Claim <c>type</c> of a refresh token.</summary>
    public const int RefreshType = 1;

    public const string TypeClaim = "type";
    public const string SessionClaim = "sid";
    public const string RoleClaim = "role";
    public const string VerifiedClaim = "verified";

    /// <summary>Difference between the clocks of two services that is forgiven.</summary>
    public static readonly TimeSpan ClockSkew = TimeSpan.FromSeconds(5);

    /// <param name="typ"><see cref="AccessTyp"/> or <see cref="RefreshTyp"/>.</param>
    /// <param name="keys">Public keys; the one that the header's <c>kid</c> names is used, never another.</param>
    /// <param name="time">The clock that decides what has expired.</param>
    public static TokenValidationParameters Rules(string typ, IEnumerable<SecurityKey> keys, TimeProvider time) => new()
    {
        ValidIssuer = Issuer,
        ValidAudience = Audience,
        ValidTypes = [typ],
        ValidAlgorithms = [Algorithm],
        IssuerSigningKeys = keys,
        TryAllIssuerSigningKeys = false,
        RequireExpirationTime = true,
        RequireSignedTokens = true,
        ValidateIssuerSigningKey = true,
        ClockSkew = ClockSkew,
        LifetimeValidator = (notBefore, expires, _, rules) => IsCurrent(notBefore, expires, rules.ClockSkew, time.GetUtcNow().UtcDateTime),
    };

    private static bool IsCurrent(DateTime? notBefore, DateTime? expires, TimeSpan skew, DateTime now)
    {
        if (expires is not { } end)
        {
            return false;
        }

        if (end + skew <= now)
        {
            throw new SecurityTokenExpiredException("expired") { Expires = end };
        }

        return notBefore is not { } start || start - skew <= now;
    }
}
