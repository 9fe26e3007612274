using System.Buffers;

namespace Cube.Http2;

/// <summary>
/// Decodes Huffman-coded strings (RFC 7541, section 5.2). The code of appendix B is canonical: within a length, codes ascend with their symbols. Therefore the lengths define it.
/// </summary>
internal static class Huffman
{
    private const int EndOfString = 256;
    private const int MaxLength = 30;

    /// <summary>The length of the code of each symbol in bits.</summary>
    private static ReadOnlySpan<byte> Lengths =>
    [
        13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 28,
        6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6, 5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10,
        13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6,
        15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5, 6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28,
        20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23, 24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24,
        22, 21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23, 21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23,
        26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25, 19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27,
        20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23, 26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26,
        30,
    ];

    /// <summary>The symbols in the order of their codes.</summary>
    private static readonly short[] _symbols = [.. Enumerable.Range(0, EndOfString + 1).Select(static symbol => (short)symbol).OrderBy(static symbol => Lengths[symbol]).ThenBy(static symbol => symbol)];

    /// <summary>For each length: its first code, and the position of that code's symbol.</summary>
    private static readonly (int FirstCode, int FirstIndex, int Count)[] _byLength = CountLengths();

    /// <summary>Appends the decoded bytes to <paramref name="output"/>.</summary>
    /// <exception cref="Http2Exception">The input contains the code of end-of-string, or its padding is invalid.</exception>
    public static void Decode(ReadOnlySpan<byte> input, IBufferWriter<byte> output)
    {
        var (code, length) = (0, 0);
        foreach (var octet in input)
        {
            for (var bit = 7; bit >= 0; bit--)
            {
                code = (code << 1) | ((octet >> bit) & 1);
                length++;
                var (first, index, count) = _byLength[length];
                if (code - first < count && code >= first)
                {
                    var symbol = _symbols[index + code - first];
                    Require(symbol != EndOfString);
                    output.GetSpan(1)[0] = (byte)symbol;
                    output.Advance(1);
                    (code, length) = (0, 0);
                }

                Require(length < MaxLength);
            }
        }

        // The padding is the start of the code of end-of-string, which has ones only.
        Require(length < 8 && code == (1 << length) - 1);
    }

    private static (int FirstCode, int FirstIndex, int Count)[] CountLengths()
    {
        var result = new (int FirstCode, int FirstIndex, int Count)[MaxLength + 1];
        var (code, index) = (0, 0);
        for (var length = 1; length <= MaxLength; length++)
        {
            code <<= 1;
            var count = 0;
            foreach (var other in Lengths)
            {
                count += other == length ? 1 : 0;
            }

            result[length] = (code, index, count);
            (code, index) = (code + count, index + count);
        }

        return result;
    }

    private static void Require(bool condition)
    {
        if (!condition)
        {
            throw new Http2Exception(ErrorCode.CompressionError, "A Huffman-coded string is invalid.");
        }
    }
}
