using System.Buffers.Text;
using System.Diagnostics;
using System.Net;
using System.Net.Sockets;

namespace Cube.Benchmarks.Load;

/// <summary>One exchange as the client measured it, in ticks of <see cref="Stopwatch"/>.</summary>
/// <param name="Status">The status code; 0 if the connection failed or the response was incomplete.</param>
/// <param name="FirstByte">Time until the first byte of the body.</param>
/// <param name="Total">Time until the end of the body.</param>
internal readonly record struct Exchange(int Status, long FirstByte, long Total);

/// <summary>A client connection with HTTP/1.1 and keep-alive. It costs less than HttpClient, so that the generator does not limit what it measures.</summary>
internal sealed class LoadConnection(IPEndPoint server) : IDisposable
{
    private readonly byte[] _buffer = new byte[8 << 10];
    private Socket? _socket;
    private int _start;
    private int _end;

    public async ValueTask<Exchange> SendAsync(ReadOnlyMemory<byte> request, CancellationToken ct)
    {
        var begin = Stopwatch.GetTimestamp();
        try
        {
            if (_socket is null)
            {
                _socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
                await _socket.ConnectAsync(server, ct);
                (_start, _end) = (0, 0);
            }

            await _socket.SendAsync(request, SocketFlags.None, ct);
            var (status, length, isChunked) = await ReadHeadersAsync(ct);
            if (_start == _end && (length > 0 || isChunked))
            {
                await FillAsync(ct);
            }

            var first = Stopwatch.GetTimestamp() - begin;
            await (isChunked ? ReadChunksAsync(ct) : ReadBodyAsync(length, ct));
            return new Exchange(status, first, Stopwatch.GetTimestamp() - begin);
        }
        catch (Exception exception) when (exception is SocketException or IOException or FormatException)
        {
            Dispose();
            return new Exchange(0, 0, Stopwatch.GetTimestamp() - begin);
        }
    }

    public void Dispose()
    {
        _socket?.Dispose();
        _socket = null;
    }

    private async ValueTask<(int Status, int Length, bool IsChunked)> ReadHeadersAsync(CancellationToken ct)
    {
        while (true)
        {
            var end = _buffer.AsSpan(_start, _end - _start).IndexOf("\r\n\r\n"u8);
            if (end >= 0)
            {
                var result = Parse(_buffer.AsSpan(_start, end + 2));
                _start += end + 4;
                return result;
            }

            await FillAsync(ct);
        }
    }

    private static (int Status, int Length, bool IsChunked) Parse(ReadOnlySpan<byte> head)
    {
        if (!Utf8Parser.TryParse(head[9..], out int status, out _))
        {
            throw new FormatException("No status.");
        }

        var length = head.IndexOf("Content-Length: "u8);
        return length < 0 ? (status, 0, head.IndexOf("Transfer-Encoding: chunked"u8) >= 0)
            : Utf8Parser.TryParse(head[(length + 16)..], out int bytes, out _) ? (status, bytes, false)
            : throw new FormatException("No length.");
    }

    private async ValueTask ReadBodyAsync(int length, CancellationToken ct)
    {
        while (true)
        {
            var taken = Math.Min(length, _end - _start);
            _start += taken;
            length -= taken;
            if (length == 0)
            {
                return;
            }

            await FillAsync(ct);
        }
    }

    private async ValueTask ReadChunksAsync(CancellationToken ct)
    {
        while (true)
        {
            int end;
            while ((end = _buffer.AsSpan(_start, _end - _start).IndexOf("\r\n"u8)) < 0)
            {
                await FillAsync(ct);
            }

            if (!Utf8Parser.TryParse(_buffer.AsSpan(_start, end), out int size, out _, 'x'))
            {
                throw new FormatException("No size of a chunk.");
            }

            _start += end + 2;
            await ReadBodyAsync(size + 2, ct);
            if (size == 0)
            {
                return;
            }
        }
    }

    private async ValueTask FillAsync(CancellationToken ct)
    {
        if (_start > 0)
        {
            _buffer.AsSpan(_start, _end - _start).CopyTo(_buffer);
            (_start, _end) = (0, _end - _start);
        }

        var read = await _socket!.ReceiveAsync(_buffer.AsMemory(_end), SocketFlags.None, ct);
        _end += read > 0 ? read : throw new IOException("The server closed the connection.");
    }
}
