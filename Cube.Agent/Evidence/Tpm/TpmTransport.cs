using System.Globalization;
using System.Net.Sockets;
using Cube.Attestation.Atls;

namespace Cube.Agent.Evidence.Tpm;

/// <summary>Sends a command to a TPM device of the kernel's resource manager, or to a simulator over TCP. Not thread-safe; <see cref="EvidenceQueue"/> serializes calls.</summary>
internal sealed class TpmTransport(string address)
{
    private const int MaxResponse = 4096;

    /// <summary>TPM_RC_RETRY, TPM_RC_YIELDED, TPM_RC_TESTING: try again.</summary>
    private static readonly uint[] _again = [0x922, 0x908, 0x90A];

    public bool IsAvailable() => address.StartsWith("tcp://", StringComparison.Ordinal) || File.Exists(address);

    /// <returns>The whole response, header included.</returns>
    /// <exception cref="EvidenceUnavailableException">The TPM cannot be reached or returned an error.</exception>
    public async Task<byte[]> TransmitAsync(byte[] command, CancellationToken ct)
    {
        try
        {
            for (var tries = 1; ; tries++)
            {
                var response = await ExchangeAsync(command, ct);
                if (response.Length < 10)
                {
                    throw new EvidenceUnavailableException("The response of the TPM is truncated.");
                }

                var code = System.Buffers.Binary.BinaryPrimitives.ReadUInt32BigEndian(response.AsSpan(6));
                if (code == 0)
                {
                    return response;
                }

                if (!_again.Contains(code) || tries == 5)
                {
                    throw new EvidenceUnavailableException(string.Create(CultureInfo.InvariantCulture, $"The TPM returned error {code:x}."));
                }

                await Task.Delay(TimeSpan.FromMilliseconds(20 << tries), ct);
            }
        }
        catch (Exception exception) when (exception is IOException or SocketException or UnauthorizedAccessException)
        {
            throw new EvidenceUnavailableException("The TPM cannot be reached.", exception);
        }
    }

    private async Task<byte[]> ExchangeAsync(byte[] command, CancellationToken ct)
    {
        var response = new byte[MaxResponse];
        if (Uri.TryCreate(address, UriKind.Absolute, out var uri) && uri.Scheme == "tcp")
        {
            using var client = new TcpClient { NoDelay = true };
            await client.ConnectAsync(uri.Host, uri.Port, ct);
            await using var stream = client.GetStream();
            await stream.WriteAsync(command, ct);
            var read = await stream.ReadAtLeastAsync(response, 10, throwOnEndOfStream: false, ct);
            var size = read < 10 ? read : (int)Math.Min(System.Buffers.Binary.BinaryPrimitives.ReadUInt32BigEndian(response.AsSpan(2)), MaxResponse);
            if (read < size)
            {
                await stream.ReadExactlyAsync(response.AsMemory(read, size - read), ct);
            }

            return response[..size];
        }

        // The driver requires one write per command and one read per response.
        await using var device = new FileStream(address, FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite, bufferSize: 0);
        await device.WriteAsync(command, ct);
        return response[..await device.ReadAsync(response, ct)];
    }
}
