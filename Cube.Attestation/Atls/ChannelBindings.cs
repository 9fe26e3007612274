using System.Net.Security;
using System.Runtime.InteropServices;
using System.Security.Authentication.ExtendedProtection;

namespace Cube.Attestation.Atls;

/// <summary>
/// Channel bindings of attested TLS. The client's Finished message is a MAC over the whole transcript, with a key of this connection's key exchange.
/// A relay has two connections with different Finished messages, even if it has the server's private key.
/// The label is private to Cube: RFC 9266 does not define tls-unique for TLS 1.3, and .NET has no exporter API yet (dotnet/runtime#112529).
/// </summary>
public static class ChannelBindings
{
    public const string Finished = "tls-unique-finished";

    /// <summary>No channel binding. Allowed for simulated Evidence only, on systems whose TLS library provides none.</summary>
    public const string NoneSimulated = "none-simulated";

    private const int HeaderSize = 32;

    /// <returns>The client's Finished message of a full handshake, or null if the TLS library of this system does not provide it.</returns>
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
