namespace Cube.Inference.Streaming;

/// <summary>
/// Reads server-sent events (HTML standard, section 9.2). Lines end with LF, CRLF or CR. Comments and the fields <c>event</c>, <c>id</c> and <c>retry</c> are skipped. Model servers may write an error as a line
/// that is not a field: such a line is returned as an event without data.
/// </summary>
/// <param name="stream">The body of the model server's response.</param>
/// <param name="isLineDelimited">Whether each line is an event (Ollama's API).</param>
public sealed class SseReader(Stream stream, bool isLineDelimited = false) : IDisposable
{
    private const int MaxEventBytes = 4 << 20;
    private const int InitialBytes = 4 << 10;
    private byte[] _buffer = [];
    private int _start;
    private int _scan;
    private int _end;
    private int _used;
    private bool _hasStarted;

    /// <summary>Reads more bytes. Data that <see cref="TryRead"/> returned is invalid afterwards.</summary>
    /// <returns>False at the end of the stream.</returns>
    /// <exception cref="InvalidDataException">An event is longer than 4 MiB.</exception>
    public async ValueTask<bool> FillAsync(CancellationToken ct)
    {
        if (_start == _end)
        {
            // Most streams wait for their next event most of the time. They hold no buffer meanwhile.
            Release();
#pragma warning disable CA2022 // A read of no bytes waits until bytes can be read.
            await stream.ReadAsync(Memory<byte>.Empty, ct);
#pragma warning restore CA2022
            _buffer = LargeArrays.Rent(InitialBytes);
        }
        else if (_start > 0)
        {
            _buffer.AsSpan(_start, _end - _start).CopyTo(_buffer);
            (_scan, _end, _start) = (_scan - _start, _end - _start, 0);
        }

        if (_end == _buffer.Length)
        {
            if (_end >= MaxEventBytes)
            {
                throw new InvalidDataException("An event of the model server is too long.");
            }

            var larger = LargeArrays.Rent(_buffer.Length * 2);
            _buffer.AsSpan(0, _end).CopyTo(larger);
            LargeArrays.Return(_buffer, _used);
            _buffer = larger;
        }

        var read = await stream.ReadAsync(_buffer.AsMemory(_end), ct);
        _end += read;
        _used = Math.Max(_used, _end);
        return read > 0;
    }

    /// <param name="data">The event's data; empty if the event contains a line that is not a field.</param>
    /// <param name="isFinal">Whether the stream has ended: then the remaining bytes are an event also without a blank line after them.</param>
    /// <returns>False if more bytes are needed.</returns>
    public bool TryRead(out ReadOnlySpan<byte> data, bool isFinal = false)
    {
        if (!_hasStarted && !TrySkipByteOrderMark(isFinal))
        {
            data = default;
            return false;
        }

        while (TryReadLine(out var line, isFinal))
        {
            if (isLineDelimited && line.Length > 0)
            {
                data = line;
                _start = _scan;
                return true;
            }

            if (line.Length > 0)
            {
                continue;
            }

            var lines = _buffer.AsSpan(_start, _scan - _start);
            _start = _scan;
            if (TryReadData(lines, out data))
            {
                return true;
            }
        }

        data = default;
        return isFinal && _end > _start && TryReadRest(out data);
    }

    /// <summary>Reads the last event, which has no line end or no blank line after it.</summary>
    private bool TryReadRest(out ReadOnlySpan<byte> data)
    {
        var rest = _buffer.AsSpan(_start, _end - _start);
        _start = _scan = _end;
        if (isLineDelimited)
        {
            data = rest;
            return true;
        }

        return TryReadData(rest, out data);
    }

    /// <summary>Skips a byte order mark at the start of the stream (HTML standard, section 9.2.5).</summary>
    /// <returns>False if more bytes are needed.</returns>
    private bool TrySkipByteOrderMark(bool isFinal)
    {
        ReadOnlySpan<byte> mark = [0xEF, 0xBB, 0xBF];
        var first = _buffer.AsSpan(0, Math.Min(_end, mark.Length));
        if (first.Length < mark.Length && mark.StartsWith(first) && !isFinal)
        {
            return false;
        }

        _hasStarted = true;
        if (first.SequenceEqual(mark))
        {
            _start = _scan = mark.Length;
        }

        return true;
    }

    private bool TryReadLine(out ReadOnlySpan<byte> line, bool isFinal)
    {
        var rest = _buffer.AsSpan(_scan, _end - _scan);
        var at = rest.IndexOfAny((byte)'\n', (byte)'\r');
        // After a CR at the end of the buffer, an LF may follow.
        if (at < 0 || (rest[at] == '\r' && at + 1 == rest.Length && !isFinal))
        {
            line = default;
            return false;
        }

        line = rest[..at];
        _scan += at + (rest[at] == '\r' && at + 1 < rest.Length && rest[at + 1] == '\n' ? 2 : 1);
        return true;
    }

    /// <summary>Reads the data lines of one event. Several lines are joined in place with a space, which JSON allows between tokens.</summary>
    private static bool TryReadData(Span<byte> lines, out ReadOnlySpan<byte> data)
    {
        var (isFound, start, length) = (false, 0, 0);
        for (var at = 0; at < lines.Length;)
        {
            var end = lines[at..].IndexOfAny((byte)'\n', (byte)'\r');
            end = end < 0 ? lines.Length : at + end;
            var line = lines[at..end];
            if (line.StartsWith("data:"u8))
            {
                var skip = line.Length > 5 && line[5] == ' ' ? 6 : 5;
                if (!isFound)
                {
                    (isFound, start, length) = (true, at + skip, line.Length - skip);
                }
                else
                {
                    lines[start + length] = (byte)' ';
                    line[skip..].CopyTo(lines[(start + length + 1)..]);
                    length += 1 + line.Length - skip;
                }
            }
            else if (line.Length > 0 && line[0] != ':' && !line.StartsWith("event:"u8) && !line.StartsWith("id:"u8) && !line.StartsWith("retry:"u8))
            {
                data = default;
                return true;
            }

            at = end + 1;
        }

        data = lines.Slice(start, length);
        return isFound && length > 0;
    }

    public void Dispose() => Release();

    private void Release()
    {
        var buffer = Interlocked.Exchange(ref _buffer, []);
        if (buffer.Length > 0)
        {
            LargeArrays.Return(buffer, _used);
        }

        (_start, _scan, _end, _used) = (0, 0, 0, 0);
    }
}
