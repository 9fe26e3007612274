using Cube.Inference.Json;
using Cube.Proxy.Edge;
using Cube.Proxy.Limits;

namespace Cube.Proxy.Inference;

/// <summary>The complete body of a request in a rented buffer. Kestrel rejects a body above the limit during the read.</summary>
internal sealed class RequestBody : IDisposable
{
    /// <summary>The initial size of the buffer in bytes if the length is unknown.</summary>
    private const int DefaultInitialBytes = 16 << 10;
    private const int MaxInitialBytes = 256 << 10;

    private byte[] _buffer;
    private int _length;

    private readonly BodyLease _lease;

    private RequestBody(int size, BodyLease lease)
    {
        _lease = lease;
        lease.Add(size);
        _buffer = LargeArrays.Rent(size);
    }

    public ReadOnlyMemory<byte> Bytes => _buffer.AsMemory(0, _length);

    public static async ValueTask<RequestBody> ReadAsync(HttpRequest request, BodyLease lease, CancellationToken ct)
    {
        // One byte more than Content-Length, so that the end is detected without growing. A large Content-Length alone does not allocate memory.
        var body = new RequestBody((int)Math.Min((request.ContentLength ?? DefaultInitialBytes) + 1, MaxInitialBytes), lease);
        try
        {
            while (await request.Body.ReadAsync(body._buffer.AsMemory(body._length), ct) is > 0 and var read)
            {
                body._length += read;
                if (body._length == body._buffer.Length)
                {
                    body.Grow();
                }
            }

            return body;
        }
        catch
        {
            body.Dispose();
            throw;
        }
    }

    private void Grow()
    {
        // The size doubles, so the added bytes equal the current size. The smaller buffer is returned after the copy.
        _lease.Add(_buffer.Length);
        var larger = LargeArrays.Rent(_buffer.Length * 2);
        _buffer.AsSpan(0, _length).CopyTo(larger);
        LargeArrays.Return(_buffer, _length);
        _buffer = larger;
    }

    public void Dispose()
    {
        var buffer = Interlocked.Exchange(ref _buffer, []);
        if (buffer.Length > 0)
        {
            LargeArrays.Return(buffer, _length);
        }
    }
}
