using System.Net.Security;
using System.Runtime.InteropServices;
using System.Security.Authentication.ExtendedProtection;

namespace Cube.Attestation.Atls;

/// <summary>
/// What makes a connection this one and no other. The client's Finished message is a MAC over the whole transcript under a key of this
/// connection's own exchange: a relay holds two connections, and cannot make them share it, even with the server's private key. The
/// label is private: RFC 9266 defines tls-unique for TLS 1.3 not at all, and .NET has no exporter yet (dotnet/runtime#112529).
/// </summary>
public static class ChannelBindings
{
    public const string Finished = "tls-unique-finished";

    /// <summary>No binding. Only simulated evidence may go with it, on systems whose TLS offers nothing.</summary>
    public const string NoneSimulated = "none-simulated";

    private const int HeaderSize = 32;

    /// <returns>The client's Finished message of a full handshake, or null where this system's TLS does not give it.</returns>
    public static byte[]? GetFinished(SslStream tls)
    {
        using var binding = Unique(tls);
        if (binding is null || binding.IsInvalid)
        {
            return null;
        }

        // SEC_CHANNEL_BINDINGS, then "tls-unique:" and the message.
        var bytes = new byte[binding.Size];
        Marshal.Copy(binding.DangerousGetHandle(), bytes, 0, bytes.Length);
        var prefix = "tls-unique:"u8;
        return bytes.Length >= HeaderSize + prefix.Length + 32 && bytes.AsSpan(HeaderSize, prefix.Length).SequenceEqual(prefix)
            ? bytes[(HeaderSize + prefix.Length)..]
            : null;
    }

    private static ChannelBinding? Unique(SslStream tls)
    {
        try
        {
            return tls.TransportContext.GetChannelBinding(ChannelBindingKind.Unique);
        }
        catch (Exception exception) when (exception is NotSupportedException or PlatformNotSupportedException)
        {
            return null;
        }
    }
}
