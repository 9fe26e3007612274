using System.Buffers;
using System.Globalization;

namespace Cube.Inference.Json;

/// <summary>A growing buffer of rented memory. The memory is cleared when it is returned because it contained prompts or responses.</summary>
public sealed class ByteBuffer(int size = 4096) : IBufferWriter<byte>, IDisposable
{
    /// <summary>A writer gets at most this much memory more than it asks for, so that only memory that was in use is cleared.</summary>
    private const int MaxSurplus = 4096;
    private byte[] _bytes = LargeArrays.Rent(size);
    private int _used;

    public int Length { get; private set; }

    /// <summary>The size of the rented memory in bytes.</summary>
    public int Capacity => _bytes.Length;

    public ReadOnlyMemory<byte> Written => _bytes.AsMemory(0, Length);

    public void Advance(int count) => Length += count;

    public Memory<byte> GetMemory(int sizeHint = 0)
    {
        var count = Reserve(sizeHint);
        return _bytes.AsMemory(Length, count);
    }

    public Span<byte> GetSpan(int sizeHint = 0)
    {
        var count = Reserve(sizeHint);
        return _bytes.AsSpan(Length, count);
    }

    public ByteBuffer Append(ReadOnlySpan<byte> bytes)
    {
        if (_bytes.Length - Length < bytes.Length)
        {
            Reserve(bytes.Length);
        }

        bytes.CopyTo(_bytes.AsSpan(Length));
        Length += bytes.Length;
        _used = Math.Max(_used, Length);
        return this;
    }

    public ByteBuffer Append(long number)
    {
        number.TryFormat(GetSpan(20), out var written, provider: CultureInfo.InvariantCulture);
        Length += written;
        return this;
    }

    /// <summary>Discards the bytes after the first <paramref name="length"/> ones.</summary>
    public void Truncate(int length) => Length = length;

    public void Dispose()
    {
        var bytes = Interlocked.Exchange(ref _bytes, []);
        if (bytes.Length > 0)
        {
            LargeArrays.Return(bytes, _used);
        }
    }

    /// <returns>The number of bytes that a writer may use.</returns>
    private int Reserve(int count)
    {
        if (_bytes.Length - Length < Math.Max(count, 1))
        {
            var larger = LargeArrays.Rent(Math.Max(_bytes.Length * 2, Length + count));
            _bytes.AsSpan(0, Length).CopyTo(larger);
            LargeArrays.Return(_bytes, _used);
            (_bytes, _used) = (larger, Length);
        }

        var reserved = Math.Min(_bytes.Length - Length, Math.Max(count, MaxSurplus));
        _used = Math.Max(_used, Length + reserved);
        return reserved;
    }
}
