using System.Security.Cryptography;
using System.Text;
using Cube.ServiceDefaults.Tokens;
using Microsoft.Extensions.Caching.Memory;
using Microsoft.IdentityModel.JsonWebTokens;
using Microsoft.IdentityModel.Tokens;

namespace Cube.Proxy.Authentication;

/// <summary>
/// Checks access tokens here, without asking anybody, and personal ones at Identity. A good verdict is kept by the token's hash for up to a minute; bad ones are
/// not kept, so that strangers cannot fill the cache.
/// </summary>
internal sealed class TokenVerifier(IdentityKeys keys, PersonalAccessTokens personal, TimeProvider time) : IDisposable
{
    private const int MaxVerdicts = 100_000;
    private static readonly TimeSpan VerdictAge = TimeSpan.FromMinutes(1);
    private static readonly JsonWebTokenHandler Handler = new();

    private readonly MemoryCache _verdicts = new(new MemoryCacheOptions { SizeLimit = MaxVerdicts });

    public async ValueTask<TokenVerdict> VerifyAsync(string token, CancellationToken ct)
    {
        var key = Hash(token);
        if (token.StartsWith(PersonalAccessTokens.Prefix, StringComparison.Ordinal))
        {
            return await personal.FindAsync(token, key, ct) is { } owner ? new TokenVerdict.Valid(owner) : TokenVerdict.Invalid.Instance;
        }

        if (_verdicts.TryGetValue(key, out Caller? known) && known is not null)
        {
            return known.ExpiresAt + TokenFormat.ClockSkew > time.GetUtcNow() ? new TokenVerdict.Valid(known) : TokenVerdict.Expired.Instance;
        }

        var verdict = await ReadAsync(token, ct);
        if (verdict is TokenVerdict.Valid { Caller: var caller })
        {
            _verdicts.Set(key, caller, new MemoryCacheEntryOptions { Size = 1, AbsoluteExpirationRelativeToNow = VerdictAge });
        }

        return verdict;
    }

    private async Task<TokenVerdict> ReadAsync(string token, CancellationToken ct)
    {
        JsonWebToken jwt;
        try
        {
            jwt = Handler.ReadJsonWebToken(token);
        }
        catch (ArgumentException)
        {
            return TokenVerdict.Invalid.Instance;
        }

        var result = await Handler.ValidateTokenAsync(token, TokenFormat.Rules(TokenFormat.AccessTyp, await keys.GetAsync(jwt.Kid, ct), time));
        if (!result.IsValid)
        {
            // Only a token of our own can have expired: the signature is checked before this is said.
            return result.Exception is SecurityTokenExpiredException && await IsOursAsync(token, jwt.Kid, ct)
                ? TokenVerdict.Expired.Instance
                : TokenVerdict.Invalid.Instance;
        }

        return jwt.TryGetPayloadValue<int>(TokenFormat.TypeClaim, out var type) && type == TokenFormat.AccessType
            && Guid.TryParseExact(jwt.Subject, "D", out var user)
            && jwt.TryGetPayloadValue<string>(TokenFormat.SessionClaim, out var sid) && Guid.TryParseExact(sid, "D", out var session)
                ? new TokenVerdict.Valid(new Caller(user, session, null, token, jwt.ValidTo))
                : TokenVerdict.Invalid.Instance;
    }

    private async Task<bool> IsOursAsync(string token, string kid, CancellationToken ct)
    {
        var rules = TokenFormat.Rules(TokenFormat.AccessTyp, await keys.GetAsync(kid, ct), time);
        rules.LifetimeValidator = static (_, _, _, _) => true;
        return (await Handler.ValidateTokenAsync(token, rules)).IsValid;
    }

    private static string Hash(string token)
    {
        Span<byte> utf8 = stackalloc byte[BearerToken.MaxLength * 3];
        Span<byte> hash = stackalloc byte[SHA256.HashSizeInBytes];
        SHA256.HashData(utf8[..Encoding.UTF8.GetBytes(token, utf8)], hash);
        return Convert.ToBase64String(hash);
    }

    public void Dispose() => _verdicts.Dispose();
}

internal abstract record TokenVerdict
{
    public sealed record Valid(Caller Caller) : TokenVerdict;

    public sealed record Expired : TokenVerdict
    {
        public static Expired Instance { get; } = new();
    }

    public sealed record Invalid : TokenVerdict
    {
        public static Invalid Instance { get; } = new();
    }
}
