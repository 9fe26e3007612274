using System.Text;

namespace Cube.Http2;

/// <summary>Writes header fields without the dynamic table and without Huffman coding, so that it has no state.</summary>
internal static class HpackEncoder
{
    public static void WriteIndexed(OutputBuffer output, int index) => WriteInteger(output, 0x80, 7, index);

    public static void Write(OutputBuffer output, int nameIndex, ReadOnlySpan<char> value)
    {
        WriteInteger(output, 0, 4, nameIndex);
        WriteString(output, value);
    }

    /// <param name="output">The destination.</param>
    /// <param name="name">The name in lower case.</param>
    /// <param name="value">The value.</param>
    public static void Write(OutputBuffer output, ReadOnlySpan<char> name, ReadOnlySpan<char> value)
    {
        WriteInteger(output, 0, 4, 0);
        WriteString(output, name);
        WriteString(output, value);
    }

    private static void WriteString(OutputBuffer output, ReadOnlySpan<char> text)
    {
        WriteInteger(output, 0, 7, text.Length);
        var span = output.GetSpan(text.Length);
        // An invalid value could split a header after a translation to HTTP/1.1.
        if (text.ContainsAnyExceptInRange(' ', '~') || !Ascii.TryWrite(text, span))
        {
            throw new ArgumentException("A header contains a character that is not visible ASCII.", nameof(text));
        }

        output.Advance(text.Length);
    }

    /// <summary>RFC 7541, section 5.1.</summary>
    private static void WriteInteger(OutputBuffer output, int pattern, int prefixBits, int value)
    {
        var span = output.GetSpan(6);
        var max = (1 << prefixBits) - 1;
        if (value < max)
        {
            span[0] = (byte)(pattern | value);
            output.Advance(1);
            return;
        }

        span[0] = (byte)(pattern | max);
        var written = 1;
        for (value -= max; value >= 0x80; value >>= 7)
        {
            span[written++] = (byte)(0x80 | (value & 0x7f));
        }

        span[written++] = (byte)value;
        output.Advance(written);
    }
}

file static class Ascii
{
    public static bool TryWrite(ReadOnlySpan<char> text, Span<byte> destination) =>
        Encoding.ASCII.TryGetBytes(text, destination, out var written) && written == text.Length;
}
