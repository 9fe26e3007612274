using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;
using Cube.Proxy.Edge;
using Microsoft.Extensions.Options;

namespace Cube.Proxy.Inference;

/// <summary>
/// vLLM keeps the beginnings of prompts, and answers faster where it knows one: a stranger could find out by the clock what another has
/// asked. The salt keeps each user's apart. It is keyed, so that nobody can compute another's, and made of parts of one length, so that
/// no two users have the same.
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
