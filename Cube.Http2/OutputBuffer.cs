namespace Cube.Http2;

/// <summary>A growing buffer for frames that are to be sent. It contains prompts, so that it is cleared after use.</summary>
internal sealed class OutputBuffer
{
    private const int InitialSize = 16 << 10;

    /// <summary>A larger array is released after use.</summary>
    private const int MaxKept = 256 << 10;
    private byte[] _bytes = new byte[InitialSize];

    public int Length { get; private set; }

    public ReadOnlyMemory<byte> Written => _bytes.AsMemory(0, Length);

    public Span<byte> GetSpan(int count)
    {
        if (_bytes.Length - Length < count)
        {
            var larger = new byte[Math.Max(_bytes.Length * 2, Length + count)];
            _bytes.AsSpan(0, Length).CopyTo(larger);
            Array.Clear(_bytes, 0, Length);
            _bytes = larger;
        }

        return _bytes.AsSpan(Length);
    }

    /// <summary>Appends bytes that the caller writes.</summary>
    public Span<byte> Reserve(int count)
    {
        var span = GetSpan(count);
        Length += count;
        return span[..count];
    }

    public void Advance(int count) => Length += count;

    public void Append(ReadOnlySpan<byte> bytes)
    {
        bytes.CopyTo(GetSpan(bytes.Length));
        Length += bytes.Length;
    }

    /// <summary>Removes the bytes after the first <paramref name="length"/> ones.</summary>
    public void Truncate(int length)
    {
        Array.Clear(_bytes, length, Length - length);
        Length = length;
    }

    /// <summary>The bytes from <paramref name="start"/> on, to complete a frame header after its payload.</summary>
    public Span<byte> Edit(int start) => _bytes.AsSpan(start, Length - start);

    public void Clear()
    {
        Array.Clear(_bytes, 0, Length);
        Length = 0;
        if (_bytes.Length > MaxKept)
        {
            _bytes = new byte[InitialSize];
        }
    }
}
