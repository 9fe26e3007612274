using Microsoft.IdentityModel.Tokens;

namespace Cube.ServiceDefaults.Tokens;

/// <summary>
/// The format of the JWTs that Identity issues and every service validates. Validation fixes the algorithm, issuer, audience and both type
/// markers (header <c>typ</c> as in RFC 9068, claim <c>type</c>), so that a token of one type is never accepted as another.
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

    /// <summary>The tolerated difference between the clocks of two services.</summary>
    public static readonly TimeSpan ClockSkew = TimeSpan.FromSeconds(5);

    /// <param name="typ"><see cref="AccessTyp"/> or <see cref="RefreshTyp"/>.</param>
    /// <param name="keys">The public keys. Only the key that the header's <c>kid</c> names is used.</param>
    /// <param name="time">The clock for the validity period.</param>
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
