using System.Buffers.Binary;
using System.Security.Cryptography;

namespace Cube.Attestation.Atls;

/// <summary>
/// Computes the binder that Evidence must contain. It covers the server's key, the client's nonce and the connection. Each end computes it from its own state.
/// <code>
/// SHA-512( "atls-binder-v1" 0 ‖ L(SHA-256(SPKI)) ‖ L(nonce) ‖ L(cb_type) ‖ L(cb_value) )        L(x) = length u16 big-endian ‖ x
/// </code>
/// </summary>
public static class Binder
{
    public const int Size = 64;

    /// <param name="spki">DER SubjectPublicKeyInfo of the server's certificate, as seen in the own handshake.</param>
    public static byte[] Compute(ReadOnlySpan<byte> spki, ReadOnlySpan<byte> nonce, string channelBindingType, ReadOnlySpan<byte> channelBinding)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA512);
        hash.AppendData("atls-binder-v1\0"u8);
        Append(hash, SHA256.HashData(spki));
        Append(hash, nonce);
        Append(hash, System.Text.Encoding.ASCII.GetBytes(channelBindingType));
        Append(hash, channelBinding);
        return hash.GetHashAndReset();
    }

    private static void Append(IncrementalHash hash, ReadOnlySpan<byte> value)
    {
        Span<byte> length = stackalloc byte[2];
        BinaryPrimitives.WriteUInt16BigEndian(length, checked((ushort)value.Length));
        hash.AppendData(length);
        hash.AppendData(value);
    }
}
