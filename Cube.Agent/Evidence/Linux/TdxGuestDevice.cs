using System.Buffers.Binary;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using Cube.Agent.Evidence.Providers;
using Cube.Attestation.Atls;
using Cube.Attestation.Evidence;
using Microsoft.Win32.SafeHandles;

namespace Cube.Agent.Evidence.Linux;

/// <summary>
/// <c>/dev/tdx_guest</c> (Linux, include/uapi/linux/tdx-guest.h), for kernels without configfs-tsm: the agent reads a TDREPORT by ioctl, and the host's
/// quote generation service converts it into a quote over vsock.
/// <code>
/// tdx_report_req 1088: REPORTDATA 64, TDREPORT 1024
/// message: length u32 big-endian, then little-endian: major u16 (1), minor u16, type u32 (0 request, 1 response), size u32, error u32,
///   request:  report size u32 (1024), id list size u32 (0), report        response: id size u32, quote size u32, id, quote
/// </code>
/// </summary>
internal sealed partial class TdxGuestDevice(string root) : EvidenceProvider
{
    private const uint GetReport = 0xC4405401;
    private const int ReportSize = 1024;
    private const int HeaderSize = 16;
    private const int MaxMessage = 64 * 1024;
    private const int VSock = 40;
    private const uint HostCid = 2;
    private const uint QuoteServicePort = 4050;
    private readonly string _path = Path.Combine(root, "dev/tdx_guest");

    public override string Type => EvidenceType.Tdx;

    public bool IsAvailable() => OperatingSystem.IsLinux() && File.Exists(_path);

    public override async ValueTask<EvidenceDocument> MakeAsync(EvidenceRequest request, CancellationToken ct)
    {
        try
        {
            var report = Report(request.ReportData);
            using var socket = Connect();
            await using var stream = new NetworkStream(socket, ownsSocket: false);
            return new EvidenceDocument { Type = EvidenceType.Tdx, Quote = await QuoteAsync(stream, report, ct) };
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException or SocketException)
        {
            throw new EvidenceUnavailableException("The device or the host's quote generation service returned no quote.", exception);
        }
    }

    /// <exception cref="IOException">The response of the service is not a quote.</exception>
    internal static async Task<byte[]> QuoteAsync(Stream service, byte[] report, CancellationToken ct)
    {
        var body = new byte[HeaderSize + 8 + ReportSize];
        BinaryPrimitives.WriteUInt16LittleEndian(body, 1);
        BinaryPrimitives.WriteInt32LittleEndian(body.AsSpan(8), body.Length);
        BinaryPrimitives.WriteInt32LittleEndian(body.AsSpan(HeaderSize), ReportSize);
        report.CopyTo(body, HeaderSize + 8);
        var message = new byte[4 + body.Length];
        BinaryPrimitives.WriteInt32BigEndian(message, body.Length);
        body.CopyTo(message, 4);
        await service.WriteAsync(message, ct);

        var length = new byte[4];
        await service.ReadExactlyAsync(length, ct);
        var size = BinaryPrimitives.ReadInt32BigEndian(length);
        if (size is < HeaderSize + 8 or > MaxMessage)
        {
            throw new IOException("The response of the quote generation service has an invalid size.");
        }

        var answer = new byte[size];
        await service.ReadExactlyAsync(answer, ct);
        var (type, error) = (BinaryPrimitives.ReadUInt32LittleEndian(answer.AsSpan(4)), BinaryPrimitives.ReadUInt32LittleEndian(answer.AsSpan(12)));
        var (idSize, quoteSize) = (BinaryPrimitives.ReadUInt32LittleEndian(answer.AsSpan(HeaderSize)), BinaryPrimitives.ReadUInt32LittleEndian(answer.AsSpan(HeaderSize + 4)));
        if (type != 1 || error != 0 || (ulong)HeaderSize + 8 + idSize + quoteSize != (ulong)size)
        {
            throw new IOException($"The quote generation service returned error {error:x}.");
        }

        return answer[(HeaderSize + 8 + (int)idSize)..];
    }

    private unsafe byte[] Report(byte[] reportData)
    {
        using var device = File.OpenHandle(_path, FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite);
        var request = new byte[64 + ReportSize];
        reportData.CopyTo(request, 0);
        fixed (byte* pointer = request)
        {
            return Ioctl(device, GetReport, pointer) == 0 ? request[64..] : throw new IOException($"ioctl: error {Marshal.GetLastPInvokeError()}");
        }
    }

    /// <summary>Creates a vsock socket by system calls, because .NET does not support vsock addresses.</summary>
    private static unsafe Socket Connect()
    {
        var descriptor = NativeSocket(VSock, 1, 0);
        if (descriptor < 0)
        {
            throw new IOException($"socket: error {Marshal.GetLastPInvokeError()}");
        }

        var handle = new SafeSocketHandle(descriptor, ownsHandle: true);
        // sockaddr_vm: family u16, reserved u16, port u32, cid u32, 4 zeros
        Span<byte> address = stackalloc byte[16];
        address.Clear();
        BitConverter.TryWriteBytes(address, (ushort)VSock);
        BitConverter.TryWriteBytes(address[4..], QuoteServicePort);
        BitConverter.TryWriteBytes(address[8..], HostCid);
        fixed (byte* pointer = address)
        {
            if (NativeConnect(handle, pointer, 16) != 0)
            {
                var error = Marshal.GetLastPInvokeError();
                handle.Dispose();
                throw new IOException($"connect: error {error}");
            }
        }

        return new Socket(handle);
    }

    [LibraryImport("libc", EntryPoint = "ioctl", SetLastError = true)]
    private static unsafe partial int Ioctl(SafeFileHandle device, nuint request, void* argument);

    [LibraryImport("libc", EntryPoint = "socket", SetLastError = true)]
    private static partial nint NativeSocket(int domain, int type, int protocol);

    [LibraryImport("libc", EntryPoint = "connect", SetLastError = true)]
    private static unsafe partial int NativeConnect(SafeSocketHandle socket, void* address, uint length);
}
