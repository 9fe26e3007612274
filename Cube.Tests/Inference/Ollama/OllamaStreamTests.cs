using System.Text;
using System.Text.Json;
using Cube.Inference.Json;
using Cube.Inference.Models;
using Cube.Inference.Ollama;
using Cube.Inference.Translation;

namespace Cube.Tests.Inference.Ollama;

/// <summary>The translation of one response line of the Ollama API.</summary>
public sealed class OllamaStreamTests
{
    private static (StreamStep Step, string Text, TokenUsage? Usage) Write(string line)
    {
        using var output = new ByteBuffer();
        var stream = new OllamaStream(new ClientRequest { Model = "mine" });
        var step = stream.Write(Encoding.UTF8.GetBytes(line), output);
        return (step, Encoding.UTF8.GetString(output.Written.Span), stream.Usage);
    }

    [Theory]
    [InlineData("""{"model":"m","response":"a","done":false,"x":1}""", """{"model":"mine","response":"a","done":false}""")]
    [InlineData("""{"remote_host":"http://10.0.0.7","remote_model":"r","done":false}""", """{"done":false}""")]
    [InlineData("""{"message":{"role":"assistant","content":"a","x":{"y":1}},"done":false}""", """{"message":{"role":"assistant","content":"a"},"done":false}""")]
    [InlineData(
        """{"message":{"tool_calls":[{"id":"c","x":1,"function":{"index":0,"name":"f","arguments":{"x":{"y":[{}]}},"x":1}}]},"done":false}""",
        """{"message":{"tool_calls":[{"id":"c","function":{"index":0,"name":"f","arguments":{"x":{"y":[{}]}}}}]},"done":false}""")]
    [InlineData(
        """{"logprobs":[{"token":"a","logprob":-1,"x":1,"top_logprobs":[{"token":"b","logprob":-2,"bytes":[1],"x":1}]}],"done":false}""",
        """{"logprobs":[{"token":"a","logprob":-1,"top_logprobs":[{"token":"b","logprob":-2,"bytes":[1]}]}],"done":false}""")]
    public void Members_outside_the_API_are_removed_at_every_depth(string line, string expected) =>
        Assert.Equal((StreamStep.More, expected + "\n"), Write(line) is var (step, text, _) ? (step, text) : default);

    [Theory]
    [InlineData("""{"logprobs":[{"token":"a","logprob":-1}]}""")]
    [InlineData("""{"logprobs":[{"token":"a","logprob":-1,"top_logprobs":null}]}""")]
    [InlineData("""{"logprobs":[{"token":"a","logprob":-1,"top_logprobs":[]}]}""")]
    public void Every_logprobs_entry_has_top_logprobs(string line) =>
        Assert.Equal("""{"logprobs":[{"token":"a","logprob":-1,"top_logprobs":[]}]}""" + "\n", Write(line).Text);

    [Theory]
    [InlineData("""{"response":{"secret":1},"done":true}""")]
    [InlineData("""{"message":{"content":{"secret":1}},"done":true}""")]
    [InlineData("""{"message":{"images":[{"secret":1}]},"done":true}""")]
    [InlineData("""{"message":"secret","done":true}""")]
    [InlineData("""{"context":[[{"secret":1}]],"done":true}""")]
    [InlineData("""{"logprobs":["secret"],"done":true}""")]
    [InlineData("""{"logprobs":[{"bytes":[{"secret":1}]}],"done":true}""")]
    [InlineData("""{"error":"secret"}""")]
    [InlineData("""{"secret":1}""")]
    [InlineData("""["secret"]""")]
    public void A_line_with_unexpected_types_is_rejected(string line) => Assert.Equal((StreamStep.Failed, "", null), Write(line));

    [Theory]
    [InlineData("""{"done":true,"prompt_eval_count":7.0,"eval_count":2.0}""")]
    [InlineData("""{"done":true,"prompt_eval_count":7,"eval_count":2}""")]
    public void Token_counts_are_read_from_integers_and_decimals(string line) => Assert.Equal(new TokenUsage(7, 2), Write(line).Usage);

    [Fact]
    public void Braces_in_text_and_null_values_are_kept() =>
        Assert.Equal(
            """{"message":{"content":"{\"a\":[{}]}","tool_calls":null},"done":false}""" + "\n",
            Write("""{"message":{"content":"{\"a\":[{}]}","tool_calls":null},"done":false}""").Text);

    [Fact]
    public void Model_details_contain_only_strings()
    {
        using var output = new ByteBuffer();
        ModelDetails.Write(JsonElement.Parse("""{"parent_model":"/blobs/x","format":{"secret":1},"family":"llama","families":["llama"],"parameter_size":[{"secret":1}]}"""), output);
        Assert.Equal("""{"parent_model":"","family":"llama","families":["llama"]}""", Encoding.UTF8.GetString(output.Written.Span));
    }
}
