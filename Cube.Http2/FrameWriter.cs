using System.Buffers.Binary;
using System.Globalization;

namespace Cube.Http2;

/// <summary>Appends frames to a buffer.</summary>
internal static class FrameWriter
{
    /// <summary>The connection preface: no dynamic table for response headers, no server push, and the windows.</summary>
    public static void WritePreface(this OutputBuffer output, int streamWindow, int connectionWindowIncrement)
    {
        output.Append("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"u8);
        output.WriteFrame(3 * 6, FrameType.Settings, 0, 0);
        output.WriteSetting(SettingId.HeaderTableSize, 0);
        output.WriteSetting(SettingId.EnablePush, 0);
        output.WriteSetting(SettingId.InitialWindowSize, streamWindow);
        output.WriteNumber(FrameType.WindowUpdate, 0, connectionWindowIncrement);
    }

    /// <summary>Appends the header of a frame whose payload follows.</summary>
    public static void WriteFrame(this OutputBuffer output, int length, FrameType type, byte flags, int streamId) => Frame.Write(output.Reserve(Frame.HeaderSize), length, type, flags, streamId);

    /// <summary>Appends a frame with a payload of one number: RST_STREAM or WINDOW_UPDATE.</summary>
    public static void WriteNumber(this OutputBuffer output, FrameType type, int streamId, int value)
    {
        output.WriteFrame(4, type, 0, streamId);
        BinaryPrimitives.WriteInt32BigEndian(output.Reserve(4), value);
    }

    public static void WriteGoAway(this OutputBuffer output, ErrorCode code)
    {
        output.WriteFrame(8, FrameType.GoAway, 0, 0);
        BinaryPrimitives.WriteInt32BigEndian(output.Reserve(4), 0);
        BinaryPrimitives.WriteInt32BigEndian(output.Reserve(4), (int)code);
    }

    public static void WriteData(this OutputBuffer output, int streamId, ReadOnlySpan<byte> data, bool isLast)
    {
        output.WriteFrame(data.Length, FrameType.Data, isLast ? Frame.EndStream : (byte)0, streamId);
        output.Append(data);
    }

    /// <exception cref="ArgumentException">A header has an invalid character, or the headers do not fit into one frame. Then nothing was appended.</exception>
    public static void WriteHeaders(this OutputBuffer output, Http2Request request, int streamId)
    {
        var start = output.Length;
        try
        {
            output.Reserve(Frame.HeaderSize);
            WriteFields(output, request);
            var size = output.Length - start - Frame.HeaderSize;
            if (size > Frame.MaxLength)
            {
                throw new ArgumentException("The headers are too large.", nameof(request));
            }

            Frame.Write(output.Edit(start), size, FrameType.Headers, (byte)(Frame.EndHeaders | (request.Body.IsEmpty ? Frame.EndStream : 0)), streamId);
        }
        catch
        {
            output.Truncate(start);
            throw;
        }
    }

    private static void WriteFields(OutputBuffer output, Http2Request request)
    {
        switch (request.Method)
        {
            case "GET":
                HpackEncoder.WriteIndexed(output, StaticTable.MethodGet);
                break;
            case "POST":
                HpackEncoder.WriteIndexed(output, StaticTable.MethodPost);
                break;
            default:
                HpackEncoder.Write(output, StaticTable.MethodGet, request.Method);
                break;
        }

        HpackEncoder.WriteIndexed(output, StaticTable.SchemeHttps);
        HpackEncoder.Write(output, StaticTable.Authority, request.Authority);
        HpackEncoder.Write(output, StaticTable.Path, request.Path);
        if (request.ContentType is { } type)
        {
            HpackEncoder.Write(output, StaticTable.ContentType, type);
            Span<char> length = stackalloc char[11];
            request.Body.Length.TryFormat(length, out var digits, provider: CultureInfo.InvariantCulture);
            HpackEncoder.Write(output, StaticTable.ContentLength, length[..digits]);
        }

        foreach (var (name, value) in request.Headers)
        {
            HpackEncoder.Write(output, name, value);
        }
    }

    private static void WriteSetting(this OutputBuffer output, SettingId id, int value)
    {
        BinaryPrimitives.WriteInt16BigEndian(output.Reserve(2), (short)id);
        BinaryPrimitives.WriteInt32BigEndian(output.Reserve(4), value);
    }
}

/// <summary>The settings of RFC 9113, section 6.5.2, that the client sends or reads.</summary>
internal enum SettingId : ushort
{
    HeaderTableSize = 1,
    EnablePush = 2,
    MaxConcurrentStreams = 3,
    InitialWindowSize = 4,
    MaxFrameSize = 5,
}
