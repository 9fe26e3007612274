using Cube.Identity.Keys;
using Cube.ServiceDefaults.Tokens;
using Microsoft.IdentityModel.JsonWebTokens;

namespace Cube.Identity.Tokens;

internal sealed class TokenReader(KeyRing keys, TimeProvider time)
{
    private static readonly JsonWebTokenHandler Handler = new();

    /// <returns>The claims, or null when the token is not a valid token of this type from this deployment.</returns>
    public async Task<TokenClaims?> ReadAsync(string token, string typ, CancellationToken ct)
    {
        if (!Handler.CanReadToken(token))
        {
            return null;
        }

        try
        {
            await keys.ReloadForUnknownAsync(Handler.ReadJsonWebToken(token).Kid, ct);
        }
        catch (ArgumentException)
        {
            return null;
        }

        var result = await Handler.ValidateTokenAsync(token, TokenFormat.Rules(typ, keys.PublicKeys, time));
        var type = typ == TokenFormat.AccessTyp ? TokenFormat.AccessType : TokenFormat.RefreshType;
        return result.IsValid && result.SecurityToken is JsonWebToken jwt
            && jwt.TryGetPayloadValue<int>(TokenFormat.TypeClaim, out var claimed) && claimed == type
            && Guid.TryParseExact(jwt.Subject, "D", out var user)
            && Guid.TryParseExact(jwt.Id, "D", out var id)
            && jwt.TryGetPayloadValue<string>(TokenFormat.SessionClaim, out var sid) && Guid.TryParseExact(sid, "D", out var session)
                ? new TokenClaims(id, user, session)
                : null;
    }
}

internal sealed record TokenClaims(Guid TokenId, Guid UserId, Guid SessionId);
