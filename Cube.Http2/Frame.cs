using System.Buffers.Binary;

namespace Cube.Http2;

/// <summary>The frame types of RFC 9113, section 6.</summary>
internal enum FrameType : byte
{
    Data = 0,
    Headers = 1,
    Priority = 2,
    RstStream = 3,
    Settings = 4,
    PushPromise = 5,
    Ping = 6,
    GoAway = 7,
    WindowUpdate = 8,
    Continuation = 9,
}

/// <summary>The header of a frame: length (24 bits), type (8), flags (8), stream (31).</summary>
internal readonly record struct Frame(int Length, FrameType Type, byte Flags, int StreamId)
{
    public const int HeaderSize = 9;

    /// <summary>The largest payload that the client accepts. It does not change the default of RFC 9113.</summary>
    public const int MaxLength = 16_384;
    public const byte EndStream = 0x1;
    public const byte Ack = 0x1;
    public const byte EndHeaders = 0x4;
    public const byte Padded = 0x8;
    public const byte HasPriority = 0x20;

    public bool Has(byte flag) => (Flags & flag) != 0;

    public static Frame Read(ReadOnlySpan<byte> header) => new(
        (header[0] << 16) | (header[1] << 8) | header[2], (FrameType)header[3], header[4], (int)(BinaryPrimitives.ReadUInt32BigEndian(header[5..]) & 0x7fffffff));

    public static void Write(Span<byte> header, int length, FrameType type, byte flags, int streamId)
    {
        BinaryPrimitives.WriteUInt32BigEndian(header, ((uint)length << 8) | (byte)type);
        header[4] = flags;
        BinaryPrimitives.WriteInt32BigEndian(header[5..], streamId);
    }
}
