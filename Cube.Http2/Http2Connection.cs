using System.Buffers.Binary;

namespace Cube.Http2;

/// <summary>
/// The client's end of one HTTP/2 connection (RFC 9113) over a stream that is already secure. Requests that are sent at the same time share a write. It has no priorities, no server push, no dynamic header table and no
/// trailers.
/// </summary>
public sealed class Http2Connection : IDisposable
{
    private const int ReceiveWindow = int.MaxValue;

    /// <summary>Responses to settings and pings that the server does not read must not fill the memory.</summary>
    private const int MaxResponses = 4 << 20;

    /// <summary>Up to this number of concurrent requests, each is written at once on its own thread. More are written together.</summary>
    private const int MaxAlone = 4;
    private static readonly TimeSpan _goAwayDelay = TimeSpan.FromMilliseconds(100);

    private readonly Stream _stream;
    private readonly Http2Options _options;
    private readonly OutputQueue _output;
    private readonly BodySender _bodies;
    private readonly Dictionary<int, Http2Response> _streams = [];
    private readonly FrameReader _reader;
    private readonly ITimer _pings;
    private readonly TaskCompletionSource _ready = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private int _nextId = 1;
    private int _running;
    private int _maxStreams = int.MaxValue;
    private long _received;
    private long _lastFrameAt;
    private bool _isPinged;
    private volatile bool _isDraining;
    private volatile Exception? _failure;

    private Http2Connection(Stream stream, Http2Options options)
    {
        (_stream, _options) = (stream, options);
        _output = new OutputQueue(stream, ContinueBodies, exception => Close(exception));
        _bodies = new BodySender(_output);
        _reader = new FrameReader(this, stream);
        _lastFrameAt = options.Time.GetTimestamp();
        _pings = options.Time.CreateTimer(static connection => ((Http2Connection)connection!).CheckAlive(), this, options.PingTimeout, options.PingTimeout);
    }

    /// <summary>Completes when the server's settings have arrived, which proves that it speaks HTTP/2. Fails with the connection.</summary>
    public Task Ready => _ready.Task;

    /// <summary>The limit of the server for concurrent requests. Until its settings arrive, there is none.</summary>
    public int MaxStreams => Volatile.Read(ref _maxStreams);

    /// <summary>The number of requests whose response is not disposed.</summary>
    public int Running => Volatile.Read(ref _running);

    /// <summary>True until the connection fails or is disposed.</summary>
    public bool IsOpen => _failure is null;

    /// <summary>True if the connection takes further requests.</summary>
    public bool AcceptsRequests => _failure is null && !_isDraining && Running < MaxStreams && Volatile.Read(ref _nextId) > 0;

    internal int StreamWindow => _options.StreamWindow;

    /// <summary>Sends the connection preface and starts to read.</summary>
    /// <param name="stream">A secure connection whose protocol is h2. It is disposed with the connection.</param>
    /// <param name="options">The settings of the client.</param>
    public static Http2Connection Start(Stream stream, Http2Options? options = null)
    {
        var connection = new Http2Connection(stream, options ?? new Http2Options());
        lock (connection._output.Lock)
        {
            connection._output.Buffer.WritePreface(connection.StreamWindow, ReceiveWindow - BodySender.InitialWindow);
            connection._output.Flush();
        }

        _ = Task.Run(connection._reader.RunAsync);
        return connection;
    }

    /// <summary>Sends a request and waits for the headers of its response.</summary>
    /// <param name="request">The request.</param>
    /// <param name="ct">Cancels the request until the response is disposed, also while its body is read.</param>
    /// <exception cref="IOException">The connection or the stream failed. <see cref="Http2Exception.IsUnprocessed"/> tells whether the request can be sent again.</exception>
    /// <exception cref="OperationCanceledException">The token was canceled.</exception>
    public ValueTask<Http2Response> SendAsync(Http2Request request, CancellationToken ct)
    {
        ct.ThrowIfCancellationRequested();
        return Begin(request).ReadHeadersAsync(ct);
    }

    /// <summary>Ends all requests with an error and closes the connection.</summary>
    /// <param name="reason">The error of the requests.</param>
    public void Abort(Exception reason) => Close(reason, keepsData: false);

    public void Dispose() => Close(new Http2Exception("The connection is closed."), keepsData: false);

    internal void Remove(Http2Response stream, bool isComplete)
    {
        lock (_output.Lock)
        {
            if (!_streams.Remove(stream.Id))
            {
                return;
            }

            Interlocked.Decrement(ref _running);
            var isSent = stream.Unsent.IsEmpty;
            stream.Unsent = default;
            if ((!isComplete || !isSent) && _failure is null)
            {
                _output.Buffer.WriteNumber(FrameType.RstStream, stream.Id, (int)(isComplete ? ErrorCode.NoError : ErrorCode.Cancel));
                _output.Flush();
            }
        }
    }

    internal void SendWindowUpdate(int streamId, int bytes)
    {
        lock (_output.Lock)
        {
            _output.Buffer.WriteNumber(FrameType.WindowUpdate, streamId, bytes);
            _output.Flush();
        }
    }

    internal void ReceiveHeaders(int streamId, List<HeaderField> fields, bool isLast) => Find(streamId)?.ReceiveHeaders(fields, isLast);

    /// <param name="streamId">The stream of the frame.</param>
    /// <param name="data">The data without padding.</param>
    /// <param name="frameLength">The length that counts for flow control.</param>
    /// <param name="isLast">Whether the response ends.</param>
    internal void ReceiveData(int streamId, ReadOnlySpan<byte> data, int frameLength, bool isLast)
    {
        // The streams limit what the server can send. The window of the connection only has to stay open.
        if ((_received += frameLength) >= ReceiveWindow / 2)
        {
            SendWindowUpdate(0, (int)_received);
            _received = 0;
        }

        Find(streamId)?.ReceiveData(data, padding: frameLength - data.Length, isLast);
    }

    internal void ReceiveReset(int streamId, ErrorCode code)
    {
        var failure = new Http2Exception(code, $"The server ended the stream: {code}.") { IsUnprocessed = code == ErrorCode.RefusedStream };
        Find(streamId)?.Fail(failure, keepsData: true);
    }

    /// <exception cref="Http2Exception">A setting is invalid.</exception>
    internal void ReceiveSettings(ReadOnlySpan<byte> payload)
    {
        lock (_output.Lock)
        {
            for (; payload.Length >= 6; payload = payload[6..])
            {
                Apply((SettingId)BinaryPrimitives.ReadUInt16BigEndian(payload), BinaryPrimitives.ReadUInt32BigEndian(payload[2..]));
            }

            Require(_output.Buffer.Length < MaxResponses, ErrorCode.EnhanceYourCalm);
            _output.Buffer.WriteFrame(0, FrameType.Settings, Frame.Ack, 0);
            _bodies.Continue();
            _output.Flush();
        }

        _ready.TrySetResult();
    }

    internal void ReceivePing(ReadOnlySpan<byte> payload)
    {
        lock (_output.Lock)
        {
            Require(_output.Buffer.Length < MaxResponses, ErrorCode.EnhanceYourCalm);
            _output.Buffer.WriteFrame(payload.Length, FrameType.Ping, Frame.Ack, 0);
            _output.Buffer.Append(payload);
            _output.Flush();
        }
    }

    /// <summary>The server takes no further requests. It has not processed those after <paramref name="lastId"/>.</summary>
    internal void ReceiveGoAway(int lastId)
    {
        _isDraining = true;
        foreach (var stream in Snapshot().Where(stream => stream.Id > lastId))
        {
            stream.Fail(new Http2Exception(ErrorCode.RefusedStream, "The server closes the connection.") { IsUnprocessed = true }, keepsData: false);
        }
    }

    /// <exception cref="Http2Exception">The window is invalid.</exception>
    internal void ReceiveWindowUpdate(int streamId, int bytes)
    {
        lock (_output.Lock)
        {
            if (streamId == 0)
            {
                _bodies.AddWindow(null, bytes);
            }
            else if (_streams.TryGetValue(streamId, out var stream))
            {
                _bodies.AddWindow(stream, bytes);
            }

            _bodies.Continue();
            _output.Flush();
        }
    }

    internal void MarkAlive() => Volatile.Write(ref _lastFrameAt, _options.Time.GetTimestamp());

    /// <summary>Closes the connection because of an error of the server, and sends it the error code.</summary>
    internal void Fail(Http2Exception exception)
    {
        lock (_output.Lock)
        {
            _output.Buffer.WriteGoAway(exception.Code);
            _output.Flush();
        }

        Close(exception, keepsData: false, _goAwayDelay);
    }

    /// <param name="reason">The error of the requests.</param>
    /// <param name="keepsData">Whether requests can read what has arrived, and complete responses stay complete.</param>
    /// <param name="delay">The time until the connection is closed.</param>
    internal void Close(Exception reason, bool keepsData = true, TimeSpan delay = default)
    {
        lock (_output.Lock)
        {
            if (_failure is not null)
            {
                return;
            }

            _failure = reason;
        }

        _pings.Dispose();
        _ready.TrySetException(reason);
        _ = _ready.Task.Exception;
        foreach (var stream in Snapshot())
        {
            stream.Fail(reason, keepsData);
        }

        if (delay == default)
        {
            CloseStream();
        }
        else
        {
            _ = Task.Delay(delay, CancellationToken.None).ContinueWith(_ => CloseStream(), CancellationToken.None, TaskContinuationOptions.None, TaskScheduler.Default);
        }
    }

    private void CloseStream()
    {
        _output.Close();
        _stream.Dispose();
    }

    private Http2Response Begin(Http2Request request)
    {
        var stream = new Http2Response(this);
        var isWriter = false;
        lock (_output.Lock)
        {
            if (!AcceptsRequests)
            {
                throw new Http2Exception("The connection takes no further requests.", _failure) { IsUnprocessed = true };
            }

            _output.Buffer.WriteHeaders(request, _nextId);
            (stream.Id, stream.SendWindow, stream.Unsent) = (_nextId, _bodies.StreamWindow, request.Body);
            _nextId += 2;
            _streams.Add(stream.Id, stream);
            var running = Interlocked.Increment(ref _running);
            _bodies.Begin(stream);
            if (running > MaxAlone || !(isWriter = _output.TryClaim()))
            {
                _output.Flush();
            }
        }

        if (isWriter)
        {
            _output.Write();
        }

        return stream;
    }

    /// <summary>Continues with large bodies after a write.</summary>
    private void ContinueBodies()
    {
        if (!_bodies.HasUnfinished)
        {
            return;
        }

        lock (_output.Lock)
        {
            _bodies.Continue();
            _output.Flush();
        }
    }

    private void Apply(SettingId id, uint value)
    {
        switch (id)
        {
            case SettingId.MaxConcurrentStreams:
                Volatile.Write(ref _maxStreams, (int)Math.Min(value, int.MaxValue));
                break;
            case SettingId.InitialWindowSize:
                _bodies.SetStreamWindow(value, _streams.Values);
                break;
            case SettingId.MaxFrameSize:
                _bodies.SetMaxFrame(value);
                break;
        }
    }

    private void CheckAlive()
    {
        var silence = _options.Time.GetElapsedTime(Volatile.Read(ref _lastFrameAt));
        if (silence < _options.PingDelay)
        {
            _isPinged = false;
        }
        else if (_isPinged)
        {
            Close(new Http2Exception("The server does not respond to a ping."));
        }
        else
        {
            _isPinged = true;
            lock (_output.Lock)
            {
                _output.Buffer.WriteFrame(8, FrameType.Ping, 0, 0);
                _output.Buffer.Append("cubeping"u8);
                _output.Flush();
            }
        }
    }

    private Http2Response? Find(int streamId)
    {
        lock (_output.Lock)
        {
            if (_streams.TryGetValue(streamId, out var stream))
            {
                return stream;
            }

            // A stream that the client has ended can still receive frames. Others do not exist.
            Require((streamId & 1) == 1 && streamId < _nextId, ErrorCode.ProtocolError);
            return null;
        }
    }

    private Http2Response[] Snapshot()
    {
        lock (_output.Lock)
        {
            return [.. _streams.Values];
        }
    }

    private static void Require(bool condition, ErrorCode code)
    {
        if (!condition)
        {
            throw new Http2Exception(code, "The server violates HTTP/2.");
        }
    }
}
