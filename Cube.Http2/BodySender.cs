namespace Cube.Http2;

/// <summary>Sends the bodies of requests as the windows of the server allow (RFC 9113, section 5.2). The lock of the output guards it.</summary>
internal sealed class BodySender(OutputQueue output)
{
    public const int InitialWindow = 65_535;

    /// <summary>The output that is copied from bodies at once. The rest follows after the write.</summary>
    private const int MaxQueuedBytes = 256 << 10;
    private const int MaxFrameBytes = 64 << 10;

    private readonly Queue<Http2Response> _unfinished = new();
    private long _connectionWindow = InitialWindow;
    private int _maxFrame = Frame.MaxLength;
    private volatile bool _hasUnfinished;

    /// <summary>The window of a new stream.</summary>
    public long StreamWindow { get; private set; } = InitialWindow;

    /// <summary>Whether the body of a request waits for a window or for the output. Can be read without the lock.</summary>
    public bool HasUnfinished => _hasUnfinished;

    public void Begin(Http2Response stream)
    {
        Send(stream);
        if (!stream.Unsent.IsEmpty)
        {
            _unfinished.Enqueue(stream);
            _hasUnfinished = true;
        }
    }

    /// <summary>Continues with the bodies that are not sent entirely, each in turn.</summary>
    public void Continue()
    {
        for (var i = _unfinished.Count; i > 0; i--)
        {
            var stream = _unfinished.Dequeue();
            Send(stream);
            if (!stream.Unsent.IsEmpty)
            {
                _unfinished.Enqueue(stream);
            }
        }

        _hasUnfinished = _unfinished.Count > 0;
    }

    /// <param name="stream">The stream whose window grows; null for the connection.</param>
    /// <param name="bytes">The increment.</param>
    /// <exception cref="Http2Exception">The increment is 0, or the window is too large.</exception>
    public void AddWindow(Http2Response? stream, int bytes)
    {
        var window = stream is null ? _connectionWindow += bytes : stream.SendWindow += bytes;
        Require(bytes > 0 && window <= int.MaxValue, ErrorCode.FlowControlError);
    }

    /// <exception cref="Http2Exception">The size is not allowed.</exception>
    public void SetMaxFrame(uint bytes)
    {
        Require(bytes is >= Frame.MaxLength and <= 16_777_215, ErrorCode.ProtocolError);
        _maxFrame = (int)Math.Min(bytes, MaxFrameBytes);
    }

    /// <exception cref="Http2Exception">The window is too large.</exception>
    public void SetStreamWindow(uint bytes, IEnumerable<Http2Response> streams)
    {
        Require(bytes <= int.MaxValue, ErrorCode.FlowControlError);
        foreach (var stream in streams)
        {
            stream.SendWindow += bytes - StreamWindow;
        }

        StreamWindow = bytes;
    }

    private void Send(Http2Response stream)
    {
        while (!stream.Unsent.IsEmpty && output.Buffer.Length < MaxQueuedBytes)
        {
            var count = (int)Math.Min(Math.Min(stream.Unsent.Length, _maxFrame), Math.Min(_connectionWindow, stream.SendWindow));
            if (count <= 0)
            {
                return;
            }

            output.Buffer.WriteData(stream.Id, stream.Unsent.Span[..count], isLast: count == stream.Unsent.Length);
            stream.Unsent = stream.Unsent[count..];
            stream.SendWindow -= count;
            _connectionWindow -= count;
        }
    }

    private static void Require(bool condition, ErrorCode code)
    {
        if (!condition)
        {
            throw new Http2Exception(code, "The server set an invalid window or size.");
        }
    }
}
