using System.Text;
using System.Text.Json;
using Cube.Inference.Embeddings;
using Cube.Inference.Json;
using Cube.Inference.Models;
using Cube.Inference.Translation;

namespace Cube.Tests.Inference.Embeddings;

/// <summary>The translation of embeddings between numbers and base64.</summary>
public sealed class EmbeddingResponseTests
{
    [Theory]
    [InlineData("[0.5,-1.25,3.0]", true, "\"AAAAPwAAoL8AAEBA\"")]
    [InlineData("\"AAAAPwAAoL8AAEBA\"", false, "[0.5,-1.25,3]")]
    [InlineData("[0.5]", false, "[0.5]")]
    [InlineData("\"AAAAPw==\"", true, "\"AAAAPw==\"")]
    [InlineData("\"AAAA\"", false, null)]
    [InlineData("\"?\"", true, null)]
    [InlineData("\"AADAfw==\"", false, null)]
    [InlineData("[\"x\"]", true, null)]
    [InlineData("[null]", false, null)]
    [InlineData("{}", false, null)]
    public void An_embedding_has_the_requested_encoding(string given, bool asBase64, string? expected)
    {
        using var output = new ByteBuffer();
        var answer = Encoding.UTF8.GetBytes($$"""{"data":[{"embedding":{{given}} }],"usage":{"prompt_tokens":1.0} }""");
        void Write() => new EmbeddingResponseTranslator().WriteBuffered(answer, "application/json", new ClientRequest { Model = "m", UsesBase64 = asBase64 }, DateTimeOffset.UnixEpoch, output);
        if (expected is null)
        {
            Assert.Throws<JsonException>(Write);
        }
        else
        {
            Write();
            Assert.Equal(expected, JsonElement.Parse(output.Written.Span).GetProperty("data")[0].GetProperty("embedding").GetRawText());
        }
    }
}
