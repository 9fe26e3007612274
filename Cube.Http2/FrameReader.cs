using System.Buffers;
using System.Buffers.Binary;

namespace Cube.Http2;

/// <summary>Reads the frames of the server and hands them to the connection, one after another.</summary>
internal sealed class FrameReader(Http2Connection connection, Stream stream)
{
    /// <summary>Maximum size of the headers of a response in bytes.</summary>
    private const int MaxHeaders = 64 << 10;
    private readonly byte[] _buffer = new byte[64 << 10];
    private readonly ArrayBufferWriter<byte> _headerBlock = new();
    private readonly HpackDecoder _hpack = new();
    private readonly List<HeaderField> _fields = new(16);
    private int _start;
    private int _end;
    private bool _hasSettings;

    /// <summary>The stream whose header block continues in the next frame; 0 if none does.</summary>
    private int _continued;
    private bool _isContinuedLast;

    public async Task RunAsync()
    {
        try
        {
            while (await FillAsync())
            {
                connection.MarkAlive();
                while (TryTake(out var frame, out var payload))
                {
                    Receive(frame, payload);
                }
            }

            connection.Close(new Http2Exception("The server closed the connection."));
        }
        catch (Http2Exception exception)
        {
            connection.Fail(exception);
        }
        catch (Exception exception)
        {
            connection.Close(exception);
        }
        finally
        {
            // It contains parts of completions.
            Array.Clear(_buffer);
        }
    }

    private async ValueTask<bool> FillAsync()
    {
        if (_start > 0)
        {
            _buffer.AsSpan(_start, _end - _start).CopyTo(_buffer);
            (_start, _end) = (0, _end - _start);
        }

        var read = await stream.ReadAsync(_buffer.AsMemory(_end));
        _end += read;
        return read > 0;
    }

    private bool TryTake(out Frame frame, out ReadOnlySpan<byte> payload)
    {
        frame = default;
        payload = default;
        if (_end - _start < Frame.HeaderSize)
        {
            return false;
        }

        frame = Frame.Read(_buffer.AsSpan(_start));
        Require(frame.Length <= Frame.MaxLength, ErrorCode.FrameSizeError);
        if (_end - _start < Frame.HeaderSize + frame.Length)
        {
            return false;
        }

        payload = _buffer.AsSpan(_start + Frame.HeaderSize, frame.Length);
        _start += Frame.HeaderSize + frame.Length;
        return true;
    }

    private void Receive(Frame frame, ReadOnlySpan<byte> payload)
    {
        Require(_hasSettings || frame.Type == FrameType.Settings, ErrorCode.ProtocolError);
        Require(_continued == 0 ? frame.Type != FrameType.Continuation : frame.Type == FrameType.Continuation && frame.StreamId == _continued, ErrorCode.ProtocolError);
        switch (frame.Type)
        {
            case FrameType.Data:
                connection.ReceiveData(frame.StreamId, Unpad(frame, payload), frame.Length, frame.Has(Frame.EndStream));
                break;
            case FrameType.Headers:
                payload = Unpad(frame, payload);
                if (frame.Has(Frame.HasPriority))
                {
                    Require(payload.Length >= 5, ErrorCode.FrameSizeError);
                    payload = payload[5..];
                }

                _isContinuedLast = frame.Has(Frame.EndStream);
                ReceiveHeaders(frame, payload);
                break;
            case FrameType.Continuation:
                ReceiveHeaders(frame, payload);
                break;
            case FrameType.RstStream:
                Require(frame.Length == 4, ErrorCode.FrameSizeError);
                connection.ReceiveReset(frame.StreamId, (ErrorCode)BinaryPrimitives.ReadInt32BigEndian(payload));
                break;
            case FrameType.Settings:
                Require(frame.StreamId == 0, ErrorCode.ProtocolError);
                Require(frame.Has(Frame.Ack) ? frame.Length == 0 : frame.Length % 6 == 0, ErrorCode.FrameSizeError);
                if (!frame.Has(Frame.Ack))
                {
                    _hasSettings = true;
                    connection.ReceiveSettings(payload);
                }

                break;
            case FrameType.Ping:
                Require(frame.StreamId == 0, ErrorCode.ProtocolError);
                Require(frame.Length == 8, ErrorCode.FrameSizeError);
                if (!frame.Has(Frame.Ack))
                {
                    connection.ReceivePing(payload);
                }

                break;
            case FrameType.GoAway:
                Require(frame.Length >= 8, ErrorCode.FrameSizeError);
                connection.ReceiveGoAway(BinaryPrimitives.ReadInt32BigEndian(payload) & 0x7fffffff);
                break;
            case FrameType.WindowUpdate:
                Require(frame.Length == 4, ErrorCode.FrameSizeError);
                connection.ReceiveWindowUpdate(frame.StreamId, BinaryPrimitives.ReadInt32BigEndian(payload) & 0x7fffffff);
                break;
            case FrameType.PushPromise:
                throw new Http2Exception(ErrorCode.ProtocolError, "The client has disabled server push.");
        }
    }

    private void ReceiveHeaders(Frame frame, ReadOnlySpan<byte> fragment)
    {
        if (_continued == 0 && frame.Has(Frame.EndHeaders))
        {
            Complete(frame.StreamId, fragment);
            return;
        }

        Require(_headerBlock.WrittenCount + fragment.Length <= MaxHeaders, ErrorCode.EnhanceYourCalm);
        _headerBlock.Write(fragment);
        _continued = frame.StreamId;
        if (frame.Has(Frame.EndHeaders))
        {
            _continued = 0;
            Complete(frame.StreamId, _headerBlock.WrittenSpan);
            _headerBlock.ResetWrittenCount();
        }
    }

    private void Complete(int streamId, ReadOnlySpan<byte> block)
    {
        _fields.Clear();
        _hpack.Decode(block, _fields);
        connection.ReceiveHeaders(streamId, _fields, _isContinuedLast);
    }

    private static ReadOnlySpan<byte> Unpad(Frame frame, ReadOnlySpan<byte> payload)
    {
        if (!frame.Has(Frame.Padded))
        {
            return payload;
        }

        Require(payload.Length > 0 && payload[0] < payload.Length, ErrorCode.ProtocolError);
        return payload[1..^payload[0]];
    }

    private static void Require(bool condition, ErrorCode code)
    {
        if (!condition)
        {
            throw new Http2Exception(code, "The server sent an invalid frame.");
        }
    }
}
