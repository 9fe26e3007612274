using System.Security.Cryptography;
using System.Text;
using Cube.ServiceDefaults.Tokens;
using Microsoft.Extensions.Caching.Memory;
using Microsoft.IdentityModel.JsonWebTokens;
using Microsoft.IdentityModel.Tokens;

namespace Cube.Proxy.Authentication;

/// <summary>
/// Verifies access tokens locally with Identity's keys, and personal access tokens at Identity. Valid access tokens are cached by their hash for up to a minute. Invalid ones are not cached, so that requests without a
/// valid token cannot fill the cache.
/// </summary>
internal sealed class TokenVerifier(IdentityKeys keys, PersonalAccessTokens personal, TimeProvider time) : IDisposable
{
    private const int MaxCachedCallers = 100_000;
    private static readonly TimeSpan CacheDuration = TimeSpan.FromMinutes(1);
    private static readonly JsonWebTokenHandler Handler = new();

    private readonly MemoryCache _callers = new(new MemoryCacheOptions { SizeLimit = MaxCachedCallers });

    public async ValueTask<TokenVerification> VerifyAsync(string token, CancellationToken ct)
    {
        var key = Hash(token);
        if (token.StartsWith(PersonalAccessTokens.Prefix, StringComparison.Ordinal))
        {
            return await personal.FindAsync(token, key, ct) is { } owner ? new TokenVerification.Valid(owner) : TokenVerification.Invalid.Instance;
        }

        if (_callers.TryGetValue(key, out Caller? cached) && cached is not null)
        {
            return cached.ExpiresAt + TokenFormat.ClockSkew > time.GetUtcNow() ? new TokenVerification.Valid(cached) : TokenVerification.Expired.Instance;
        }

        var verification = await ReadAsync(token, ct);
        if (verification is TokenVerification.Valid { Caller: var caller })
        {
            _callers.Set(key, caller, new MemoryCacheEntryOptions { Size = 1, AbsoluteExpirationRelativeToNow = CacheDuration });
        }

        return verification;
    }

    private async Task<TokenVerification> ReadAsync(string token, CancellationToken ct)
    {
        JsonWebToken jwt;
        try
        {
            jwt = Handler.ReadJsonWebToken(token);
        }
        catch (ArgumentException)
        {
            return TokenVerification.Invalid.Instance;
        }

        var result = await Handler.ValidateTokenAsync(token, TokenFormat.Rules(TokenFormat.AccessTyp, await keys.GetAsync(jwt.Kid, ct), time));
        if (!result.IsValid)
        {
            // "Expired" is reported only for tokens of this deployment, so the signature is verified first.
            return result.Exception is SecurityTokenExpiredException && await HasValidSignatureAsync(token, jwt.Kid, ct)
                ? TokenVerification.Expired.Instance
                : TokenVerification.Invalid.Instance;
        }

        return jwt.TryGetPayloadValue<int>(TokenFormat.TypeClaim, out var type) && type == TokenFormat.AccessType
            && Guid.TryParseExact(jwt.Subject, "D", out var user)
            && jwt.TryGetPayloadValue<string>(TokenFormat.SessionClaim, out var sid) && Guid.TryParseExact(sid, "D", out var session)
                ? new TokenVerification.Valid(new Caller(user, session, null, token, jwt.ValidTo))
                : TokenVerification.Invalid.Instance;
    }

    private async Task<bool> HasValidSignatureAsync(string token, string kid, CancellationToken ct)
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

    public void Dispose() => _callers.Dispose();
}

/// <summary>The result of a token's verification.</summary>
internal abstract record TokenVerification
{
    public sealed record Valid(Caller Caller) : TokenVerification;

    public sealed record Expired : TokenVerification
    {
        public static Expired Instance { get; } = new();
    }

    public sealed record Invalid : TokenVerification
    {
        public static Invalid Instance { get; } = new();
    }
}
