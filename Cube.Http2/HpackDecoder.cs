using System.Buffers;
using System.Text;

namespace Cube.Http2;

/// <summary>
/// Reads header fields (RFC 7541). The client announces a dynamic table of size 0, so the server must not use one. Names and values that were seen before are not allocated again: a server sends the same few in each
/// response.
/// </summary>
internal sealed class HpackDecoder
{
    private const int MaxCached = 64;
    private readonly ArrayBufferWriter<byte> _decoded = new(256);
    private readonly Dictionary<string, string> _cache = new(StringComparer.Ordinal);
    private readonly Dictionary<string, string>.AlternateLookup<ReadOnlySpan<char>> _cached;

    public HpackDecoder() => _cached = _cache.GetAlternateLookup<ReadOnlySpan<char>>();

    /// <summary>Adds the fields of a complete header block to <paramref name="fields"/>.</summary>
    /// <exception cref="Http2Exception">The block is invalid.</exception>
    public void Decode(ReadOnlySpan<byte> block, List<HeaderField> fields)
    {
        while (!block.IsEmpty)
        {
            var first = block[0];
            if ((first & 0x80) != 0)
            {
                var (name, value) = StaticTable.Get(ReadInteger(ref block, 7));
                fields.Add(new HeaderField(name, value));
            }
            else if ((first & 0xe0) == 0x20)
            {
                // A change of the size of the dynamic table. Only 0 is allowed.
                Require(ReadInteger(ref block, 5) == 0);
            }
            else
            {
                // With incremental indexing, which has no effect on a table of size 0; without indexing; never indexed.
                var index = ReadInteger(ref block, (first & 0x40) != 0 ? 6 : 4);
                var name = index > 0 ? StaticTable.Get(index).Name : ReadString(ref block);
                fields.Add(new HeaderField(name, ReadString(ref block)));
            }
        }
    }

    private string ReadString(ref ReadOnlySpan<byte> block)
    {
        Require(!block.IsEmpty);
        var isHuffman = (block[0] & 0x80) != 0;
        var length = ReadInteger(ref block, 7);
        Require(length <= block.Length);
        var bytes = block[..length];
        block = block[length..];
        if (isHuffman)
        {
            _decoded.ResetWrittenCount();
            Huffman.Decode(bytes, _decoded);
            bytes = _decoded.WrittenSpan;
        }

        return ToText(bytes);
    }

    private string ToText(ReadOnlySpan<byte> bytes)
    {
        if (bytes.Length > 128)
        {
            return Encoding.Latin1.GetString(bytes);
        }

        Span<char> text = stackalloc char[128];
        text = text[..Encoding.Latin1.GetChars(bytes, text)];
        if (_cached.TryGetValue(text, out var known))
        {
            return known;
        }

        var added = text.ToString();
        if (_cache.Count < MaxCached)
        {
            _cache[added] = added;
        }

        return added;
    }

    private static int ReadInteger(ref ReadOnlySpan<byte> block, int prefixBits)
    {
        var max = (1 << prefixBits) - 1;
        var value = block[0] & max;
        block = block[1..];
        if (value < max)
        {
            return value;
        }

        for (var shift = 0; shift <= 21; shift += 7)
        {
            Require(!block.IsEmpty);
            var next = block[0];
            block = block[1..];
            value += (next & 0x7f) << shift;
            if ((next & 0x80) == 0)
            {
                return value;
            }
        }

        throw new Http2Exception(ErrorCode.CompressionError, "An integer in a header is too large.");
    }

    private static void Require(bool condition)
    {
        if (!condition)
        {
            throw new Http2Exception(ErrorCode.CompressionError, "A header block is invalid.");
        }
    }
}
