using Cube.Attestation.Parsing;

namespace Cube.Attestation.Google;

/// <summary>
/// One level of a protobuf message (encoding specification): pairs of field number and value.
/// This assembly references no package, so that Google.Protobuf is not used.
/// </summary>
internal static class Protobuf
{
    private const int MaxFields = 4096;

    public readonly record struct Field(int Number, ulong Value, ReadOnlyMemory<byte> Bytes);

    /// <exception cref="AppraisalException">With <paramref name="code"/>.</exception>
    public static List<Field> Read(ReadOnlyMemory<byte> message, string code)
    {
        var fields = new List<Field>();
        var reader = new ByteReader(message.Span, code);
        while (reader.Left > 0)
        {
            AppraisalException.ThrowUnless(fields.Count < MaxFields, code, "A message has too many fields.");
            var tag = Varint(ref reader, code);
            AppraisalException.ThrowUnless(tag >> 3 is >= 1 and <= int.MaxValue, code, "A field has no number.");
            var number = (int)(tag >> 3);
            switch (tag & 7)
            {
                case 0:
                    fields.Add(new Field(number, Varint(ref reader, code), default));
                    break;
                case 1:
                    fields.Add(new Field(number, reader.U64(), default));
                    break;
                case 2:
                    var length = Varint(ref reader, code);
                    AppraisalException.ThrowUnless(length <= (ulong)reader.Left, code, "A field is truncated.");
                    fields.Add(new Field(number, 0, message.Slice(reader.Position, (int)length)));
                    reader.Take((int)length);
                    break;
                case 5:
                    fields.Add(new Field(number, reader.U32(), default));
                    break;
                default:
                    throw new AppraisalException(code, "A field has an unknown type.");
            }
        }

        return fields;
    }

    private static ulong Varint(ref ByteReader reader, string code)
    {
        var value = 0UL;
        for (var shift = 0; shift < 64; shift += 7)
        {
            var next = reader.U8();
            value |= (ulong)(next & 0x7F) << shift;
            if (next < 0x80)
            {
                return value;
            }
        }

        throw new AppraisalException(code, "A number is too long.");
    }
}
