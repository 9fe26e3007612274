namespace Cube.Http2;

/// <summary>The error codes of RFC 9113, section 7.</summary>
public enum ErrorCode
{
    NoError = 0,
    ProtocolError = 1,
    InternalError = 2,
    FlowControlError = 3,
    SettingsTimeout = 4,
    StreamClosed = 5,
    FrameSizeError = 6,
    RefusedStream = 7,
    Cancel = 8,
    CompressionError = 9,
    ConnectError = 10,
    EnhanceYourCalm = 11,
    InadequateSecurity = 12,
    Http11Required = 13,
}

/// <summary>A stream or a connection has failed.</summary>
public sealed class Http2Exception : IOException
{
    public Http2Exception()
    {
    }

    public Http2Exception(string message)
        : base(message)
    {
    }

    public Http2Exception(string message, Exception? innerException)
        : base(message, innerException)
    {
    }

    public Http2Exception(ErrorCode code, string message)
        : base(message) => Code = code;

    public ErrorCode Code { get; } = ErrorCode.InternalError;

    /// <summary>True if the server has certainly not processed the request, so that it can be sent again on another connection.</summary>
    public bool IsUnprocessed { get; init; }
}
