using System.Text.Json;

namespace Cube.Tests.Inference.Responses;

/// <summary>The translation of <c>POST /v1/responses</c> into a chat.</summary>
public sealed class ResponseRequestTests
{
    private const string Tool = """{"type":"function","name":"f","parameters":{"type":"object"}}""";

    private static string Body(string more, string input) => $$"""{"model":"m","input":{{input}}{{(more.Length > 0 ? "," : "")}}{{more}}}""";

    private static JsonElement Sent(string more, string input) => Translation.SentTo("vllm", Body(more, input), "responses");

    [Fact]
    public void A_conversation_is_sent_as_a_chat()
    {
        var sent = Sent(
            $"\"instructions\":\"i\",\"max_output_tokens\":9,\"top_p\":0.5,\"tools\":[{Tool}],\"tool_choice\":{{\"type\":\"function\",\"name\":\"f\"}},\"reasoning\":{{\"effort\":\"low\"}},\"text\":{{\"format\":{{\"type\":\"json_schema\",\"name\":\"n\",\"schema\":{{\"type\":\"object\"}},\"strict\":true}}}}",
            input: """[{"role":"developer","content":"d"},{"role":"user","content":[{"type":"input_text","text":"u"}]},{"type":"reasoning","id":"rs_1","summary":[]},{"type":"function_call","call_id":"c1","name":"f","arguments":"{}"},{"type":"function_call","call_id":"c2","name":"f","arguments":"{\"a\":1}"},{"type":"function_call_output","call_id":"c1","output":"one"},{"type":"function_call_output","call_id":"c2","output":[{"type":"input_text","text":"two"}]},{"type":"message","id":"msg_1","status":"completed","role":"assistant","content":[{"type":"output_text","text":"a","annotations":[]}]}]""");
        Assert.Equal(
            """[{"role":"system","content":"i"},{"role":"system","content":"d"},{"role":"user","content":[{"type":"text","text":"u"}]},{"role":"assistant","content":null,"tool_calls":[{"id":"c1","type":"function","function":{"name":"f","arguments":"{}"}},{"id":"c2","type":"function","function":{"name":"f","arguments":"{\"a\":1}"}}]},{"role":"tool","content":"one","tool_call_id":"c1"},{"role":"tool","content":[{"type":"text","text":"two"}],"tool_call_id":"c2"},{"role":"assistant","content":[{"type":"text","text":"a"}]}]""",
            sent.GetProperty("messages").GetRawText());
        Assert.Equal((9, "0.5", "low"), (sent.GetProperty("max_tokens").GetInt32(), sent.GetProperty("top_p").GetRawText(), sent.GetProperty("reasoning_effort").GetString()));
        Assert.Equal("""[{"type":"function","function":{"name":"f","parameters":{"type":"object"}}}]""", sent.GetProperty("tools").GetRawText());
        Assert.Equal("""{"type":"function","function":{"name":"f"}}""", sent.GetProperty("tool_choice").GetRawText());
        Assert.Equal("""{"type":"json_schema","json_schema":{"name":"n","schema":{"type":"object"},"strict":true}}""", sent.GetProperty("response_format").GetRawText());
        Assert.True(sent.TryGetProperty("cache_salt", out _), "the proxy adds the salt here too");
    }

    [Theory]
    [InlineData("\"store\":true", "unsupported_parameter", "store")]
    [InlineData("\"background\":true", "unsupported_parameter", "background")]
    [InlineData("\"previous_response_id\":\"resp_1\"", "unsupported_parameter", "previous_response_id")]
    [InlineData("\"conversation\":\"conv_1\"", "unsupported_parameter", "conversation")]
    [InlineData("\"prompt\":{\"id\":\"pmpt_1\"}", "unsupported_parameter", "prompt")]
    [InlineData("\"tools\":[{\"type\":\"web_search\"}]", "unsupported_value", "tools[0].type")]
    [InlineData("\"tools\":[{\"type\":\"function\"}]", "missing_required_parameter", "tools[0].name")]
    [InlineData("\"tool_choice\":{\"type\":\"function\",\"name\":\"f\"}", "invalid_value", "tool_choice.name")]
    [InlineData("\"truncation\":\"auto\"", "invalid_value", "truncation")]
    [InlineData("\"temperature\":3", "invalid_value", "temperature")]
    [InlineData("\"max_output_tokens\":0", "invalid_value", "max_output_tokens")]
    [InlineData("\"include\":[\"message.output_text.logprobs\"]", "unsupported_value", "include")]
    [InlineData("\"text\":{\"format\":{\"type\":\"json_schema\",\"name\":\"n\"}}", "missing_required_parameter", "text.format.schema")]
    [InlineData("\"reasoning\":{\"effort\":\"lots\"}", "invalid_value", "reasoning.effort")]
    [InlineData("\"stream_options\":{\"include_obfuscation\":false}", "invalid_value", "stream_options")]
    [InlineData("\"instructions\":5", "invalid_type", "instructions")]
    public void State_and_unsupported_parameters_are_rejected_by_name(string more, string code, string param) =>
        Assert.Equal((400, code, param), Translation.Of("vllm", Body(more, "\"hi\""), "responses").Error);

    [Theory]
    [InlineData("5", "invalid_type", "input")]
    [InlineData("[]", "invalid_value", "input")]
    [InlineData("[5]", "invalid_type", "input[0]")]
    [InlineData("""[{"role":"user"}]""", "missing_required_parameter", "input[0].content")]
    [InlineData("""[{"role":"tool","content":"x"}]""", "invalid_value", "input[0].role")]
    [InlineData("""[{"type":"item_reference","id":"msg_1"}]""", "unsupported_value", "input[0].type")]
    [InlineData("""[{"role":"user","content":[{"type":"input_file","file_id":"f"}]}]""", "unsupported_value", "input[0].content[0].type")]
    [InlineData("""[{"role":"user","content":[{"type":"input_image","image_url":"http://169.254.169.254/x.png"}]}]""", "invalid_value", "input[0].content[0].image_url")]
    [InlineData("""[{"type":"function_call_output","output":"x"}]""", "missing_required_parameter", "input[0].call_id")]
    public void Invalid_input_is_rejected_by_parameter(string input, string code, string param) =>
        Assert.Equal((400, code, param), Translation.Of("vllm", Body("", input), "responses").Error);

    [Fact]
    public void A_schema_that_is_too_large_for_Ollama_is_rejected_by_parameter()
    {
        var many = string.Join(',', Enumerable.Range(0, 1001).Select(static i => $"\"p{i}\":{{}}"));
        Assert.Equal(
            (400, "unsupported_value", "text.format"),
            Translation.Of("ollama", Body($"\"text\":{{\"format\":{{\"type\":\"json_schema\",\"name\":\"n\",\"schema\":{{\"properties\":{{{many}}}}}}}}}", "\"hi\""), "responses").Error);
    }
}
