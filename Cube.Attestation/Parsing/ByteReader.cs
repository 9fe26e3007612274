using System.Buffers.Binary;

namespace Cube.Attestation.Parsing;

/// <summary>Reads a binary structure sequentially. A read beyond the end throws <see cref="AppraisalException"/> with the given code.</summary>
internal ref struct ByteReader(ReadOnlySpan<byte> bytes, string code)
{
    private readonly ReadOnlySpan<byte> _bytes = bytes;

    public int Position { get; private set; }

    public readonly int Left => _bytes.Length - Position;

    /// <exception cref="AppraisalException">Fewer than <paramref name="count"/> bytes are left.</exception>
    public ReadOnlySpan<byte> Take(int count)
    {
        if (count < 0 || count > Left)
        {
            throw new AppraisalException(code, $"{count} bytes are required at offset {Position}, {Left} are left.");
        }

        var taken = _bytes.Slice(Position, count);
        Position += count;
        return taken;
    }

    public byte U8() => Take(1)[0];

    public ushort U16() => BinaryPrimitives.ReadUInt16LittleEndian(Take(2));

    public uint U32() => BinaryPrimitives.ReadUInt32LittleEndian(Take(4));

    public ulong U64() => BinaryPrimitives.ReadUInt64LittleEndian(Take(8));

    public ushort U16Big() => BinaryPrimitives.ReadUInt16BigEndian(Take(2));

    public uint U32Big() => BinaryPrimitives.ReadUInt32BigEndian(Take(4));

    public ulong U64Big() => BinaryPrimitives.ReadUInt64BigEndian(Take(8));

    /// <summary>Reads a u32 little-endian length and that many bytes.</summary>
    public ReadOnlySpan<byte> Sized() => Take(Length(U32()));

    /// <summary>Reads a TPM2B: a u16 big-endian length and that many bytes.</summary>
    public ReadOnlySpan<byte> Tpm2B() => Take(U16Big());

    /// <exception cref="AppraisalException">Unread bytes remain.</exception>
    public readonly void End() => AppraisalException.ThrowUnless(Left == 0, code, $"{Left} bytes follow the end.");

    private readonly int Length(uint announced) =>
        announced <= (uint)Left ? (int)announced : throw new AppraisalException(code, $"{announced} bytes are required at offset {Position}, {Left} are left.");
}
