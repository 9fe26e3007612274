using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;
using Cube.Proxy.Edge;
using Microsoft.Extensions.Options;

namespace Cube.Proxy.Inference;

/// <summary>
/// Computes the <c>cache_salt</c> that separates the prefix caches of users in vLLM. Without it, a user could find out the prompts of others by measuring response times. The salt is an HMAC-SHA256 of the domain and
/// user ids, so that users cannot compute the salts of others.
/// </summary>
internal sealed class CacheSalts(IOptions<ProxyOptions> options)
{
    private readonly byte[] _key = options.Value.CacheSaltKey is { } key ? SHA256.HashData(Encoding.UTF8.GetBytes(key)) : RandomNumberGenerator.GetBytes(32);

    public string Of(Guid domain, Guid user)
    {
        Span<byte> message = stackalloc byte[32];
        domain.TryWriteBytes(message);
        user.TryWriteBytes(message[16..]);
        Span<byte> salt = stackalloc byte[32];
        HMACSHA256.HashData(_key, message, salt);
        return Base64Url.EncodeToString(salt);
    }
}
