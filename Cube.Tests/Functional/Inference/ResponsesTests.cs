using System.Text.Json;
using Cube.Tests.Systems;

namespace Cube.Tests.Functional.Inference;

/// <summary><c>/v1/responses</c> without state, translated from and to chat completions.</summary>
[Collection(ReplayCollectionDefinition.Name)]
public sealed class ResponsesTests(ReplaySystem system)
{
    private const string Plain = """{"choices":[{"index":0,"message":{"role":"assistant","content":"Hello."},"finish_reason":"stop"}],"usage":{"prompt_tokens":3,"completion_tokens":2,"total_tokens":5}}""";
    private const string Tool = """{"type":"function","name":"f","parameters":{"type":"object"}}""";

    private Task<ClientResponse> AskAsync(string more, string kind = "vllm", string input = "\"hi\"") =>
        ClientResponse.AskAsync(system[kind].Cube, system[kind].Tenant, "responses", $$"""{"model":"m","input":{{input}}{{(more.Length > 0 ? "," : "")}}{{more}}}""");

    private async Task<JsonElement> SentAsync(string more, string kind = "vllm", string input = "\"hi\"")
    {
        system[kind].Server.PlayJson(200, Plain);
        var answer = await AskAsync(more, kind, input);
        Assert.True(answer.Status == 200, answer.Text);
        var (head, body) = system[kind].Server.Requests.Last();
        Assert.StartsWith("POST /v1/chat/completions ", head, StringComparison.Ordinal);
        return JsonElement.Parse(body);
    }

    [Theory]
    [InlineData("ollama")]
    [InlineData("vllm")]
    [Trait("Conformance", "HP-15")]
    public async Task A_response_contains_its_text_usage_and_request_settings(string kind)
    {
        system[kind].Server.PlayJson(200, Plain);
        var json = (await AskAsync("\"instructions\":\"Be brief.\",\"temperature\":0.50,\"store\":false,\"metadata\":{\"a\":\"b\"}", kind)).Json;
        Assert.StartsWith("resp_", json.GetProperty("id").GetString(), StringComparison.Ordinal);
        Assert.Equal(("completed", "m", "Be brief.", "0.50", """{"a":"b"}"""), (json.GetProperty("status").GetString(), json.GetProperty("model").GetString(), json.GetProperty("instructions").GetString(), json.GetProperty("temperature").GetRawText(), json.GetProperty("metadata").GetRawText()));
        Assert.Equal("Hello.", json.GetProperty("output")[0].GetProperty("content")[0].GetProperty("text").GetString());
        Assert.Equal("""{"input_tokens":3,"input_tokens_details":{"cached_tokens":0,"cache_write_tokens":0},"output_tokens":2,"output_tokens_details":{"reasoning_tokens":0},"total_tokens":5}""", json.GetProperty("usage").GetRawText());
        Assert.False(json.GetProperty("store").GetBoolean());
    }

    [Fact]
    public async Task A_conversation_is_sent_to_the_model_server_as_a_chat()
    {
        var sent = await SentAsync(
            $"\"instructions\":\"i\",\"max_output_tokens\":9,\"top_p\":0.5,\"tools\":[{Tool}],\"tool_choice\":{{\"type\":\"function\",\"name\":\"f\"}},\"reasoning\":{{\"effort\":\"low\"}},\"text\":{{\"format\":{{\"type\":\"json_schema\",\"name\":\"n\",\"schema\":{{\"type\":\"object\"}},\"strict\":true}}}}",
            input: """[{"role":"developer","content":"d"},{"role":"user","content":[{"type":"input_text","text":"u"}]},{"type":"reasoning","id":"rs_1","summary":[]},{"type":"function_call","call_id":"c1","name":"f","arguments":"{}"},{"type":"function_call","call_id":"c2","name":"f","arguments":"{\"a\":1}"},{"type":"function_call_output","call_id":"c1","output":"one"},{"type":"function_call_output","call_id":"c2","output":[{"type":"input_text","text":"two"}]},{"type":"message","id":"msg_1","status":"completed","role":"assistant","content":[{"type":"output_text","text":"a","annotations":[]}]}]""");
        Assert.Equal(
            """[{"role":"system","content":"i"},{"role":"system","content":"d"},{"role":"user","content":[{"type":"text","text":"u"}]},{"role":"assistant","content":null,"tool_calls":[{"id":"c1","type":"function","function":{"name":"f","arguments":"{}"}},{"id":"c2","type":"function","function":{"name":"f","arguments":"{\"a\":1}"}}]},{"role":"tool","content":"one","tool_call_id":"c1"},{"role":"tool","content":[{"type":"text","text":"two"}],"tool_call_id":"c2"},{"role":"assistant","content":[{"type":"text","text":"a"}]}]""",
            sent.GetProperty("messages").GetRawText());
        Assert.Equal((9, "0.5", "low"), (sent.GetProperty("max_tokens").GetInt32(), sent.GetProperty("top_p").GetRawText(), sent.GetProperty("reasoning_effort").GetString()));
        Assert.Equal("""[{"type":"function","function":{"name":"f","parameters":{"type":"object"}}}]""", sent.GetProperty("tools").GetRawText());
        Assert.Equal("""{"type":"function","function":{"name":"f"}}""", sent.GetProperty("tool_choice").GetRawText());
        Assert.Equal("""{"type":"json_schema","json_schema":{"name":"n","schema":{"type":"object"},"strict":true}}""", sent.GetProperty("response_format").GetRawText());
        Assert.True(sent.TryGetProperty("cache_salt", out _), "the proxy must set a cache salt");
    }

    [Theory]
    [InlineData("\"store\":true", "unsupported_parameter", "store")]
    [InlineData("\"background\":true", "unsupported_parameter", "background")]
    [InlineData("\"previous_response_id\":\"resp_1\"", "unsupported_parameter", "previous_response_id")]
    public async Task Stateful_parameters_are_rejected_by_name(string more, string code, string param)
    {
        var before = system["vllm"].Server.Requests.Count;
        var answer = await AskAsync(more);
        Assert.Equal((400, code, param), (answer.Status, answer.Code, answer.Param));
        Assert.Equal(before, system["vllm"].Server.Requests.Count);
    }

    [Theory]
    [InlineData("5", "invalid_type", "input")]
    [InlineData("[]", "invalid_value", "input")]
    public async Task Invalid_input_is_rejected_by_parameter(string input, string code, string param)
    {
        var answer = await AskAsync("", input: input);
        Assert.Equal((400, code, param), (answer.Status, answer.Code, answer.Param));
    }

    [Fact]
    public async Task Reasoning_and_tool_calls_are_separate_output_items()
    {
        var server = system["vllm"].Server;
        server.PlayJson(200, """{"choices":[{"index":0,"message":{"role":"assistant","content":null,"reasoning":"hm","tool_calls":[{"id":"c1","type":"function","function":{"name":"f","arguments":"{}"}},{"id":"c2","type":"function","function":{"name":"g","arguments":{"a":1.10}}}]},"finish_reason":"tool_calls"}]}""");
        var whole = (await AskAsync("")).Json.GetProperty("output");
        Assert.Equal(["reasoning", "function_call", "function_call"], whole.EnumerateArray().Select(static item => item.GetProperty("type").GetString()));
        Assert.Equal("""{"a":1.10}""", whole[2].GetProperty("arguments").GetString());
        Assert.Equal(2, (await AskAsync("\"parallel_tool_calls\":false")).Json.GetProperty("output").GetArrayLength());

        server.PlayEvents(
            Delta("""{"role":"assistant","content":""}"""), Delta("""{"reasoning":"h"}"""), Delta("""{"reasoning":"m"}"""), Delta("""{"content":"Hel"}"""), Delta("""{"content":"lo"}"""),
            Delta("""{"tool_calls":[{"index":0,"id":"c1","function":{"name":"f","arguments":""}}]}"""), Delta("""{"tool_calls":[{"index":0,"function":{"arguments":"{\"a\""}}]}"""), Delta("""{"tool_calls":[{"index":0,"function":{"arguments":":1}"}}]}"""),
            Delta("""{"tool_calls":[{"index":1,"id":"c2","function":{"name":"g","arguments":"{}"}}]}"""), Delta("{}", "\"tool_calls\""), """data: {"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":2,"total_tokens":5}}""" + "\n\n", "data: [DONE]\n\n");
        var streamed = await AskAsync("\"stream\":true");
        var response = streamed.ResponseEvents[^1].GetProperty("response");
        Assert.Equal(["reasoning", "message", "function_call", "function_call"], response.GetProperty("output").EnumerateArray().Select(static item => item.GetProperty("type").GetString()));
        Assert.Equal(("Hello", """{"a":1}""", 5), (streamed.ResponseText, response.GetProperty("output")[2].GetProperty("arguments").GetString(), response.GetProperty("usage").GetProperty("total_tokens").GetInt32()));
    }

    [Theory]
    [InlineData("length", "max_output_tokens")]
    [InlineData("content_filter", "content_filter")]
    public async Task A_truncated_response_is_incomplete(string finish, string reason)
    {
        var server = system["vllm"].Server;
        server.PlayEvents(Delta("""{"content":"Hel"}"""), Delta("{}", $"\"{finish}\""), "data: [DONE]\n\n");
        var last = (await AskAsync("\"stream\":true")).ResponseEvents[^1];
        Assert.Equal(("response.incomplete", reason, "incomplete"), (last.GetProperty("type").GetString(), last.GetProperty("response").GetProperty("incomplete_details").GetProperty("reason").GetString(), last.GetProperty("response").GetProperty("output")[0].GetProperty("status").GetString()));
        server.PlayJson(200, Plain.Replace("stop", finish, StringComparison.Ordinal));
        Assert.Equal((reason, "incomplete"), (await AskAsync("")).Json is var whole ? (whole.GetProperty("incomplete_details").GetProperty("reason").GetString(), whole.GetProperty("status").GetString()) : default);
    }

    [Theory]
    [InlineData("data: {\"error\":{\"message\":\"x\",\"code\":500}}\n\ndata: [DONE]\n\n")]
    [InlineData("data: [DONE]\n\n")]
    [InlineData("")]
    [InlineData("data: {\"model\":\"\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"\"},\"finish_reason\":null}]}\n\n")]
    public async Task A_backend_failure_during_a_stream_sends_an_error_event_and_aborts(string tail)
    {
        var server = system["vllm"].Server;
        server.PlayEvents([Delta("""{"content":"Hel"}"""), .. tail.Length > 0 ? [tail] : (string[])[]]);
        var answer = await AskAsync("\"stream\":true");
        Assert.True(answer.IsBroken);
        Assert.Equal(("error", "upstream_error"), (answer.ResponseEvents[^1].GetProperty("type").GetString(), answer.ResponseEvents[^1].GetProperty("code").GetString()));
        server.PlayEvents(tail.Length > 0 ? [tail] : []);
        Assert.Equal(502, (await AskAsync("\"stream\":true")).Status);
    }

    [Fact]
    public async Task Backend_errors_name_the_parameter_of_the_responses_API()
    {
        var many = string.Join(',', Enumerable.Range(0, 1001).Select(static i => $"\"p{i}\":{{}}"));
        Assert.Equal((400, "unsupported_value", "text.format"), await AskAsync($"\"text\":{{\"format\":{{\"type\":\"json_schema\",\"name\":\"n\",\"schema\":{{\"properties\":{{{many}}}}}}}}}", "ollama") is var large ? (large.Status, large.Code, large.Param) : default);
        system["vllm"].Server.PlayJson(400, """{"error":{"message":"This model's maximum context length is 2048 tokens.","type":"BadRequestError","param":null,"code":400}}""");
        Assert.Equal((400, "context_length_exceeded", "input"), await AskAsync("") is var full ? (full.Status, full.Code, full.Param) : default);
    }

    [Theory]
    [InlineData("GET", "responses/resp_1")]
    [InlineData("DELETE", "responses/resp_1")]
    [InlineData("POST", "responses/resp_1/cancel")]
    [InlineData("GET", "responses/resp_1/input_items")]
    public async Task Endpoints_for_stored_responses_are_answered_with_404(string method, string path)
    {
        var (cube, _, tenant) = system["vllm"];
        Assert.Equal((404, "unknown_url"), await cube.SendAsync(new HttpMethod(method), $"{tenant.Api}/{path}", tenant.Token) is var answer ? (answer.Status, DomainExtensions.CodeOf(answer.Body)) : default);
    }

    private static string Delta(string delta, string finish = "null") => $$"""data: {"model":"m","choices":[{"index":0,"delta":{{delta}},"finish_reason":{{finish}}}]}""" + "\n\n";
}
