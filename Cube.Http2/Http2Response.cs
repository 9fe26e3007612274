using System.Buffers;
using System.Globalization;
using System.Threading.Tasks.Sources;

namespace Cube.Http2;

/// <summary>
/// One request and its response. One caller at a time reads it. <see cref="Dispose"/> must be called; before the end of the response it cancels the request.
/// </summary>
public sealed class Http2Response : IValueTaskSource<Http2Response>, IValueTaskSource<int>, IDisposable
{
    private readonly Http2Connection _connection;
    private readonly Lock _lock = new();
    private readonly List<HeaderField> _headers = new(6);
    private ManualResetValueTaskSourceCore<int> _waiter = new() { RunContinuationsAsynchronously = true };
    private CancellationTokenRegistration _cancellation;
    private Memory<byte> _destination;
    private byte[] _buffer = [];
    private int _start;
    private int _end;
    private int _credit;
    private long _expected = -1;
    private Exception? _failure;
    private bool _isWaitingForHeaders;
    private bool _isWaitingForData;
    private bool _hasHeaders;
    private bool _hasEnded;
    private bool _isDisposed;

    internal Http2Response(Http2Connection connection) => _connection = connection;

    /// <summary>The status code of the response.</summary>
    public int Status { get; private set; }

    /// <summary>The <c>Content-Type</c> of the response, with its parameters; null if it has none.</summary>
    public string? ContentType { get; private set; }

    /// <summary>The other response headers except <c>Date</c> and <c>Content-Length</c>.</summary>
    public IReadOnlyList<HeaderField> Headers => _headers;

    internal int Id { get; set; }

    /// <summary>The rest of the request's body that has not been copied into frames. The connection's output lock guards it.</summary>
    internal ReadOnlyMemory<byte> Unsent { get; set; }

    /// <summary>How many bytes of the body the server accepts. The connection's output lock guards it.</summary>
    internal long SendWindow { get; set; }

    /// <summary>True if the response is complete, so that the server does not need the rest of the body.</summary>
    internal bool HasEnded => Volatile.Read(ref _hasEnded);

    /// <returns>The value of a response header, whose name must be in lower case; null if there is none.</returns>
    public string? Find(string name)
    {
        foreach (var field in _headers)
        {
            if (field.Name == name)
            {
                return field.Value;
            }
        }

        return null;
    }

    /// <summary>Reads the next part of the response's body.</summary>
    /// <param name="destination">The memory for it. If it is empty, the method waits until data can be read, or until the end of the body.</param>
    /// <returns>The number of bytes, at least 1; 0 at the end of the body, or for an empty destination.</returns>
    /// <exception cref="IOException">The response is incomplete.</exception>
    /// <exception cref="OperationCanceledException">The token of the request was canceled.</exception>
    public ValueTask<int> ReadAsync(Memory<byte> destination)
    {
        int read;
        lock (_lock)
        {
            if (_start < _end)
            {
                read = TakeBuffered(destination.Span);
            }
            else if (_failure is { } failure)
            {
                return ValueTask.FromException<int>(failure);
            }
            else if (_hasEnded)
            {
                return new(0);
            }
            else
            {
                (_destination, _isWaitingForData) = (destination, true);
                _waiter.Reset();
                return new ValueTask<int>(this, _waiter.Version);
            }
        }

        AddCredit(read);
        return new(read);
    }

    /// <summary>The body of the response. Disposing the stream does not dispose the response, and its cancellation tokens are ignored: that of the request applies.</summary>
    public Stream AsStream() => new ResponseStream(this);

    /// <summary>Waits for the status and the headers of the response.</summary>
    /// <returns>This response. After an error it is disposed.</returns>
    internal ValueTask<Http2Response> ReadHeadersAsync(CancellationToken ct)
    {
        _cancellation = ct.UnsafeRegister(static (stream, token) => ((Http2Response)stream!).Cancel(token), this);
        lock (_lock)
        {
            if (_hasHeaders)
            {
                return new(this);
            }

            if (_failure is { } failure)
            {
                _waiter.SetException(failure);
            }
            else
            {
                _isWaitingForHeaders = true;
            }

            return new ValueTask<Http2Response>(this, _waiter.Version);
        }
    }

    /// <exception cref="Http2Exception">The headers are invalid.</exception>
    internal void ReceiveHeaders(List<HeaderField> fields, bool isLast)
    {
        lock (_lock)
        {
            if (_failure is not null || _isDisposed)
            {
                return;
            }

            if (_hasHeaders)
            {
                // Trailers. No endpoint uses them.
                Require(isLast && !_hasEnded);
            }
            else if (!ReadHeaders(fields))
            {
                // An informational response (1xx). The final one follows.
                Require(!isLast);
                return;
            }

            if (isLast)
            {
                End();
            }
            else if (_isWaitingForHeaders)
            {
                _isWaitingForHeaders = false;
                _waiter.SetResult(Status);
            }
        }
    }

    /// <exception cref="Http2Exception">The server sends more than the client allowed, or data without headers.</exception>
    /// <param name="data">The data without padding.</param>
    /// <param name="padding">The bytes of the frame that count for flow control without being data.</param>
    /// <param name="isLast">Whether the response ends.</param>
    internal void ReceiveData(ReadOnlySpan<byte> data, int padding, bool isLast)
    {
        var direct = 0;
        lock (_lock)
        {
            if (_failure is not null || _isDisposed)
            {
                return;
            }

            Require(_hasHeaders && !_hasEnded);
            if (_expected >= 0)
            {
                _expected -= data.Length;
                Require(_expected >= 0);
            }

            if (_isWaitingForData && !data.IsEmpty && _destination.IsEmpty)
            {
                Keep(data);
                data = default;
                _isWaitingForData = false;
                _waiter.SetResult(0);
            }
            else if (_isWaitingForData && !data.IsEmpty)
            {
                // The reader waits with its memory, so that no buffer is needed.
                direct = Math.Min(data.Length, _destination.Length);
                data[..direct].CopyTo(_destination.Span);
                data = data[direct..];
                (_destination, _isWaitingForData) = (default, false);
                _waiter.SetResult(direct);
            }

            Keep(data);
            if (isLast)
            {
                End();
            }
        }

        AddCredit(direct + padding);
    }

    /// <summary>Fails this and later reads. With <paramref name="keepsData"/>, data that has arrived can still be read, and a complete response stays complete.</summary>
    internal void Fail(Exception failure, bool keepsData)
    {
        lock (_lock)
        {
            if (_failure is not null || _isDisposed || (_hasEnded && keepsData))
            {
                return;
            }

            _failure = failure;
            if (!keepsData)
            {
                ReleaseBuffer();
            }

            if (_isWaitingForHeaders || _isWaitingForData)
            {
                (_isWaitingForHeaders, _isWaitingForData, _destination) = (false, false, default);
                _waiter.SetException(failure);
            }
        }
    }

    public void Dispose()
    {
        bool isComplete;
        lock (_lock)
        {
            if (_isDisposed)
            {
                return;
            }

            _isDisposed = true;
            isComplete = _hasEnded;
            ReleaseBuffer();
        }

        _cancellation.Dispose();
        _connection.Remove(this, isComplete);
    }

    Http2Response IValueTaskSource<Http2Response>.GetResult(short token)
    {
        try
        {
            _waiter.GetResult(token);
            return this;
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    ValueTaskSourceStatus IValueTaskSource<Http2Response>.GetStatus(short token) => _waiter.GetStatus(token);

    void IValueTaskSource<Http2Response>.OnCompleted(Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags) => _waiter.OnCompleted(continuation, state, token, flags);

    int IValueTaskSource<int>.GetResult(short token) => _waiter.GetResult(token);

    ValueTaskSourceStatus IValueTaskSource<int>.GetStatus(short token) => _waiter.GetStatus(token);

    void IValueTaskSource<int>.OnCompleted(Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags) => _waiter.OnCompleted(continuation, state, token, flags);

    private void Cancel(CancellationToken token) => Fail(new OperationCanceledException(token), keepsData: false);

    /// <returns>False for an informational response.</returns>
    private bool ReadHeaders(List<HeaderField> fields)
    {
        Require(fields.Count > 0 && fields[0].Name == ":status" && fields[0].Value.Length == 3);
        Require(int.TryParse(fields[0].Value, NumberStyles.None, CultureInfo.InvariantCulture, out var status) && status >= 100);
        if (status < 200)
        {
            return false;
        }

        Status = status;
        foreach (var field in fields)
        {
            switch (field.Name)
            {
                case ":status" or "date":
                    break;
                case "content-type":
                    ContentType = field.Value;
                    break;
                case "content-length":
                    Require(long.TryParse(field.Value, NumberStyles.None, CultureInfo.InvariantCulture, out var length) && _expected < 0);
                    _expected = length;
                    break;
                default:
                    _headers.Add(field);
                    break;
            }
        }

        _hasHeaders = true;
        return true;
    }

    /// <summary>Marks the response as complete and wakes a waiting reader. Requires the lock.</summary>
    private void End()
    {
        if (_expected > 0)
        {
            throw new Http2Exception(ErrorCode.ProtocolError, "A response is shorter than its Content-Length.");
        }

        _hasEnded = true;
        if (_isWaitingForHeaders)
        {
            _isWaitingForHeaders = false;
            _waiter.SetResult(Status);
        }
        else if (_isWaitingForData)
        {
            (_isWaitingForData, _destination) = (false, default);
            _waiter.SetResult(0);
        }
    }

    private void Keep(ReadOnlySpan<byte> data)
    {
        if (data.IsEmpty)
        {
            return;
        }

        if (_end - _start + data.Length > _connection.StreamWindow)
        {
            throw new Http2Exception(ErrorCode.FlowControlError, "The server sent more than the client allowed.");
        }

        if (_buffer.Length - _end < data.Length)
        {
            var larger = ArrayPool<byte>.Shared.Rent(Math.Max(2 * (_end - _start), _end - _start + data.Length));
            _buffer.AsSpan(_start, _end - _start).CopyTo(larger);
            var length = _end - _start;
            ReleaseBuffer();
            (_buffer, _end) = (larger, length);
        }

        data.CopyTo(_buffer.AsSpan(_end));
        _end += data.Length;
    }

    private int TakeBuffered(Span<byte> destination)
    {
        var count = Math.Min(destination.Length, _end - _start);
        _buffer.AsSpan(_start, count).CopyTo(destination);
        _start += count;
        if (_start == _end)
        {
            ReleaseBuffer();
        }

        return count;
    }

    /// <summary>The used part is cleared: it contained a completion.</summary>
    private void ReleaseBuffer()
    {
        if (_buffer.Length > 0)
        {
            Array.Clear(_buffer, 0, _end);
            ArrayPool<byte>.Shared.Return(_buffer);
        }

        (_buffer, _start, _end) = ([], 0, 0);
    }

    /// <summary>Lets the server send more when half of the window has been read.</summary>
    private void AddCredit(int bytes)
    {
        if (Interlocked.Add(ref _credit, bytes) >= _connection.StreamWindow / 2 && !HasEnded && Interlocked.Exchange(ref _credit, 0) is > 0 and var credit)
        {
            _connection.SendWindowUpdate(Id, credit);
        }
    }

    private static void Require(bool condition)
    {
        if (!condition)
        {
            throw new Http2Exception(ErrorCode.ProtocolError, "The server sent an invalid response.");
        }
    }
}
