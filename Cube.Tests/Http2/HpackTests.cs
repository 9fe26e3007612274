using System.Buffers;
using System.Text;
using Cube.Http2;

namespace Cube.Tests.Http2;

/// <summary>Header compression, with the examples of RFC 7541, appendix C, that need no dynamic table.</summary>
public sealed class HpackTests
{
    [Theory]
    [InlineData("f1e3c2e5f23a6ba0ab90f4ff", "www.example.com")]
    [InlineData("a8eb10649cbf", "no-cache")]
    [InlineData("25a849e95ba97d7f", "custom-key")]
    [InlineData("25a849e95bb8e8b4bf", "custom-value")]
    [InlineData("6402", "302")]
    [InlineData("d07abe941054d444a8200595040b8166e082a62d1bff", "Mon, 21 Oct 2013 20:13:21 GMT")]
    [InlineData("", "")]
    public void Huffman_coded_strings_are_decoded(string encoded, string text)
    {
        var output = new ArrayBufferWriter<byte>();
        Huffman.Decode(Convert.FromHexString(encoded), output);
        Assert.Equal(text, Encoding.ASCII.GetString(output.WrittenSpan));
    }

    [Theory]
    // Eight bits of padding, a padding with a zero, and the code of end-of-string.
    [InlineData("ff")]
    [InlineData("1e")]
    [InlineData("fffffffc")]
    [InlineData("3fffffff")]
    public void Invalid_Huffman_coded_strings_are_rejected(string encoded) =>
        Assert.Equal(ErrorCode.CompressionError, Assert.Throws<Http2Exception>(() => Huffman.Decode(Convert.FromHexString(encoded), new ArrayBufferWriter<byte>())).Code);

    [Theory]
    // :status 200; a literal with and without indexing; a name from the static table; a Huffman-coded value; the dynamic table is set to 0.
    [InlineData("88", ":status=200")]
    [InlineData("8d", ":status=404")]
    [InlineData("400a637573746f6d2d6b65790d637573746f6d2d686561646572", "custom-key=custom-header")]
    [InlineData("100870617373776f726406736563726574", "password=secret")]
    [InlineData("0f100a746578742f706c61696e", "content-type=text/plain")]
    [InlineData("20885c0131", ":status=200;content-length=1")]
    [InlineData("4803333032", ":status=302")]
    public void Header_blocks_are_decoded(string block, string fields) => Assert.Equal(fields, Decode(block));

    [Theory]
    [InlineData("80", "index 0")]
    [InlineData("be", "the first entry of the dynamic table")]
    [InlineData("7e0131", "a name of the dynamic table")]
    [InlineData("3fe11f", "a dynamic table of 4096 bytes")]
    [InlineData("0005", "a name that is cut off")]
    [InlineData("00", "no name")]
    [InlineData("ffffffffffff7f", "an integer that is too large")]
    [InlineData("ff", "an integer that is cut off")]
    public void Invalid_header_blocks_are_rejected(string block, string reason) =>
        Assert.True(Assert.Throws<Http2Exception>(() => Decode(block)).Code == ErrorCode.CompressionError, reason);

    [Theory]
    [InlineData("value\r\nx-admin: 1")]
    [InlineData("value\n")]
    [InlineData("\u0000")]
    [InlineData("é")]
    public void Values_that_could_split_a_header_are_not_sent(string value) =>
        Assert.Throws<ArgumentException>(() => HpackEncoder.Write(new OutputBuffer(), StaticTable.Path, value));

    [Fact]
    public void What_the_encoder_writes_is_decoded()
    {
        var output = new OutputBuffer();
        var value = new string('v', 1000);
        HpackEncoder.WriteIndexed(output, StaticTable.MethodPost);
        HpackEncoder.Write(output, StaticTable.ContentType, "application/json");
        HpackEncoder.Write(output, "x-request-id", value);
        Assert.Equal($":method=POST;content-type=application/json;x-request-id={value}", Decode(Convert.ToHexString(output.Written.Span)));
    }

    private static string Decode(string block)
    {
        var fields = new List<HeaderField>();
        new HpackDecoder().Decode(Convert.FromHexString(block), fields);
        return string.Join(';', fields.Select(static field => $"{field.Name}={field.Value}"));
    }
}
