using Cube.Inference.Json;
using Cube.Proxy.Edge;
using Cube.Proxy.Limits;

namespace Cube.Proxy.Inference;

/// <summary>A request's whole body in a rented buffer. Kestrel refuses what is longer than the limit while it is read.</summary>
internal sealed class RequestBody : IDisposable
{
    private const int FirstBuffer = 16 << 10;
    private const int LargestFirstBuffer = 256 << 10;

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
        // One more than announced, so that the end is seen without growing; but who only announces much gets no memory for it.
        var body = new RequestBody((int)Math.Min((request.ContentLength ?? FirstBuffer) + 1, LargestFirstBuffer), lease);
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
        // What is added is as large as the buffer: the smaller one is given back once it is copied.
        _lease.Add(_buffer.Length);
        var larger = LargeArrays.Rent(_buffer.Length * 2);
        _buffer.AsSpan(0, _length).CopyTo(larger);
        LargeArrays.Return(_buffer);
        _buffer = larger;
    }

    public void Dispose()
    {
        var buffer = Interlocked.Exchange(ref _buffer, []);
        if (buffer.Length > 0)
        {
            LargeArrays.Return(buffer);
        }
    }
}
