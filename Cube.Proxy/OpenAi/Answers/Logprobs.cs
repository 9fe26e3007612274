using System.Text.Json;

namespace Cube.Proxy.OpenAi.Answers;

/// <summary>How likely each token was. OpenAI always has both members.</summary>
internal static class Logprobs
{
    /// <param name="logprobs">A model server's object.</param>
    /// <param name="output">Where it is written.</param>
    public static void Write(ReadOnlySpan<byte> logprobs, ByteBuffer output)
    {
        ReadOnlySpan<byte> content = default;
        var reader = new Utf8JsonReader(logprobs);
        reader.Read();
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            var isContent = reader.ValueTextEquals("content"u8);
            reader.Read();
            var start = (int)reader.TokenStartIndex;
            var isArray = reader.TokenType == JsonTokenType.StartArray;
            reader.Skip();
            if (isContent && isArray)
            {
                content = logprobs[start..(int)reader.BytesConsumed];
            }
        }

        output.Append("{\"content\":"u8).Append(content.IsEmpty ? "null"u8 : content).Append(",\"refusal\":null}"u8);
    }
}
