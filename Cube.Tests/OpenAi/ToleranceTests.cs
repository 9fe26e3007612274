using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;
using Cube.Tests.Systems;

namespace Cube.Tests.OpenAi;

/// <summary>Requests that the contract allows, or that clients send without harm, and what a model server gets of them.</summary>
[Collection(SharesReplay.Name)]
public sealed class ToleranceTests(ReplaySystem system)
{
    private const string Pixel = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";

    private async Task<ClientAnswer> AskAsync(string kind, string body, string path = "chat/completions")
    {
        system[kind].Server.PlayJson(200, path == "completions"
            ? """{"id":"x","object":"text_completion","created":1,"model":"m","choices":[{"index":0,"text":"ok","logprobs":null,"finish_reason":"stop"}],"usage":{"prompt_tokens":3,"completion_tokens":1,"total_tokens":4}}"""
            : FakeBackend.Chat);
        return await ClientAnswer.AskAsync(system[kind].Cube, system[kind].Tenant, path, body);
    }

    private async Task<JsonElement> SentAsync(string kind, string body, string path = "chat/completions")
    {
        var answer = await AskAsync(kind, body, path);
        Assert.True(answer.Status == 200, answer.Text);
        return JsonElement.Parse(system[kind].Server.Requests.Last().Body);
    }

    private static string Chat(string more) => $$"""{"model":"m","messages":[{"role":"user","content":"hi"}],{{more}}}""";

    private static string History(string function) =>
        $$"""{"model":"m","messages":[{"role":"user","content":"a"},{"role":"assistant","content":null,"tool_calls":[{"id":"c","type":"function","function":{"name":"f"{{function}} } }]},{"role":"tool","tool_call_id":"c","content":"x"}]}""";

    [Theory]
    [InlineData("ollama")]
    [InlineData("vllm")]
    public async Task A_call_without_arguments_is_written_with_an_empty_object(string kind)
    {
        foreach (var none in (string[])["", ",\"arguments\":\"\"", ",\"arguments\":null", ",\"arguments\":\" \"", ",\"arguments\":\"null\""])
        {
            Assert.Equal("{}", (await SentAsync(kind, History(none))).GetProperty("messages")[1].GetProperty("tool_calls")[0].GetProperty("function").GetProperty("arguments").GetString());
            var sent = await SentAsync(kind, $$"""{"model":"m","input":[{"role":"user","content":"a"},{"type":"function_call","call_id":"c","name":"f"{{none}}},{"type":"function_call_output","call_id":"c","output":"x"}]}""", "responses");
            Assert.Equal("{}", sent.GetProperty("messages")[1].GetProperty("tool_calls")[0].GetProperty("function").GetProperty("arguments").GetString());
        }
    }

    [Fact]
    public async Task A_call_without_arguments_is_an_empty_object_at_Ollamas_own_endpoint()
    {
        foreach (var none in (string[])["", ",\"arguments\":\"\"", ",\"arguments\":null", ",\"arguments\":{}"])
        {
            system["ollama"].Server.PlayJson(200, """{"model":"m","message":{"role":"assistant","content":"ok"},"done":true,"done_reason":"stop"}""");
            await ClientAnswer.AskAsync(system["ollama"].Cube, system["ollama"].Tenant, "/api/chat", $$"""{"model":"m","stream":false,"messages":[{"role":"assistant","content":"","tool_calls":[{"function":{"name":"f"{{none}} } }]},{"role":"user","content":"b"}]}""");
            Assert.Equal("{}", JsonElement.Parse(system["ollama"].Server.Requests.Last().Body).GetProperty("messages")[0].GetProperty("tool_calls")[0].GetProperty("function").GetProperty("arguments").GetRawText());
        }
    }

    [Theory]
    [InlineData("ollama")]
    [InlineData("vllm")]
    public async Task An_assistant_without_content_calls_tools_or_is_refused(string kind)
    {
        var answer = await AskAsync(kind, """{"model":"m","messages":[{"role":"user","content":"a"},{"role":"assistant","content":null,"tool_calls":[]},{"role":"user","content":"b"}]}""");
        Assert.Equal((400, "missing_required_parameter", "messages[1].content"), (answer.Status, answer.Code, answer.Param));
        Assert.Equal("No.", (await SentAsync(kind, """{"model":"m","messages":[{"role":"user","content":"a"},{"role":"assistant","content":null,"refusal":"No."},{"role":"user","content":"b"}]}""")).GetProperty("messages")[1].GetProperty("content").GetString());
    }

    [Theory]
    [InlineData("ollama")]
    [InlineData("vllm")]
    public async Task Unknown_members_of_messages_are_dropped_and_named_once(string kind)
    {
        var answer = await AskAsync(kind, """{"model":"m","x":1,"messages":[{"role":"user","content":"a","createdAt":1},{"role":"user","createdAt":2,"content":[{"type":"text","text":"b","cache_control":{"type":"ephemeral"}}]}]}""");
        Assert.Equal((200, "x, messages[].createdAt, messages[].content[].cache_control"), (answer.Status, answer.Headers.GetValues("x-cube-ignored").Single()));
        Assert.DoesNotContain("cache_control", system[kind].Server.Requests.Last().Body, StringComparison.Ordinal);
        Assert.DoesNotContain("createdAt", system[kind].Server.Requests.Last().Body, StringComparison.Ordinal);
    }

    [Fact]
    public async Task At_most_sixteen_names_are_reported()
    {
        var answer = await AskAsync("vllm", Chat(string.Join(',', Enumerable.Range(0, 5000).Select(static i => $"\"u{i}\":1"))));
        Assert.Equal((200, 16), (answer.Status, answer.Headers.GetValues("x-cube-ignored").Single().Split(", ").Length));
    }

    [Fact]
    public async Task Every_effort_of_OpenAIs_passes_and_Ollama_gets_the_nearest_that_it_has()
    {
        foreach (var (effort, atOllama) in ((string, string)[])[("none", "none"), ("minimal", "low"), ("low", "low"), ("medium", "medium"), ("high", "high"), ("xhigh", "high"), ("max", "high")])
        {
            Assert.Equal(effort, (await SentAsync("vllm", Chat($"\"reasoning_effort\":\"{effort}\""))).GetProperty("reasoning_effort").GetString());
            Assert.Equal(atOllama, (await SentAsync("ollama", Chat($"\"reasoning_effort\":\"{effort}\""))).GetProperty("reasoning_effort").GetString());
            Assert.Equal(effort, (await SentAsync("vllm", $$"""{"model":"m","input":"hi","reasoning":{"effort":"{{effort}}"} }""", "responses")).GetProperty("reasoning_effort").GetString());
        }
    }

    [Theory]
    [InlineData("0")]
    [InlineData("0.0")]
    [InlineData("-0.0")]
    [InlineData("1e-400")]
    public async Task A_top_p_of_zero_is_the_least_that_vLLM_takes(string zero)
    {
        Assert.Equal(1e-6, (await SentAsync("vllm", Chat($"\"top_p\":{zero}"))).GetProperty("top_p").GetDouble());
        Assert.Equal(zero, (await SentAsync("ollama", Chat($"\"top_p\":{zero}"))).GetProperty("top_p").GetRawText());
        Assert.Equal(1e-6, (await SentAsync("vllm", $$"""{"model":"m","prompt":"hi","top_p":{{zero}}}""", "completions")).GetProperty("top_p").GetDouble());
        Assert.Equal(1e-6, (await SentAsync("vllm", $$"""{"model":"m","input":"hi","top_p":{{zero}}}""", "responses")).GetProperty("top_p").GetDouble());
    }

    [Fact]
    public async Task A_bias_of_nothing_is_none_and_another_is_for_vLLM_alone()
    {
        Assert.False((await SentAsync("ollama", Chat("\"logit_bias\":{}"))).TryGetProperty("logit_bias", out _));
        Assert.Equal("""{"5":-100}""", (await SentAsync("vllm", Chat("\"logit_bias\":{\"5\":-100}"))).GetProperty("logit_bias").GetRawText());
        var answer = await AskAsync("ollama", Chat("\"logit_bias\":{\"5\":-100}"));
        Assert.Equal((400, "unsupported_parameter", "logit_bias"), (answer.Status, answer.Code, answer.Param));
    }

    [Fact]
    public async Task A_prompt_of_tokens_may_stand_in_a_list()
    {
        foreach (var prompt in (string[])["[1,2,3]", "[[1,2,3]]", "[\"a\"]"])
        {
            Assert.Equal(prompt, (await SentAsync("vllm", $$"""{"model":"m","prompt":{{prompt}}}""", "completions")).GetProperty("prompt").GetRawText());
        }

        Assert.Equal((400, "prompt"), await AskAsync("ollama", """{"model":"m","prompt":[[1,2,3]]}""", "completions") is var other ? (other.Status, other.Param) : default);
        foreach (var (prompt, param) in ((string, string)[])[("[[]]", "prompt[0]"), ("[[1,\"a\"]]", "prompt[0][1]"), ("[[1.5]]", "prompt[0][0]"), ("[1,-1]", "prompt[1]")])
        {
            Assert.Equal((400, param), await AskAsync("vllm", $$"""{"model":"m","prompt":{{prompt}}}""", "completions") is var wrong ? (wrong.Status, wrong.Param) : default);
        }
    }

    [Theory]
    [InlineData("data:image/png;charset=utf-8;base64,")]
    [InlineData("data:image/png;base64;charset=utf-8,")]
    [InlineData("DATA:Image/PNG;name=a.png;BASE64,")]
    [InlineData("data:image/png; base64,")]
    public async Task A_data_URL_with_parameters_is_written_without_them(string head)
    {
        foreach (var kind in (string[])["ollama", "vllm"])
        {
            var sent = await SentAsync(kind, $$"""{"model":"m","messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"{{head}}{{Pixel}}"} }]}]}""");
            Assert.Equal($"data:image/png;base64,{Pixel}", sent.GetProperty("messages")[0].GetProperty("content")[0].GetProperty("image_url").GetProperty("url").GetString());
        }
    }

    [Theory]
    [InlineData("data:image/png;charset=utf-8,")]
    [InlineData("data:;base64,")]
    [InlineData("data:base64,")]
    [InlineData("data:text/html;image/png;base64,")]
    public async Task A_data_URL_that_is_no_image_in_base64_is_refused(string head) =>
        Assert.Equal(400, (await AskAsync("vllm", $$"""{"model":"m","messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"{{head}}{{Pixel}}"} }]}]}""")).Status);

    [Theory]
    [InlineData("identity", 200)]
    [InlineData("Identity", 200)]
    [InlineData("identity, identity", 200)]
    [InlineData("gzip", 415)]
    [InlineData("identity, gzip", 415)]
    public async Task A_body_that_is_not_encoded_may_say_so(string coding, int status)
    {
        var (cube, server, tenant) = system["vllm"];
        server.PlayJson(200, FakeBackend.Chat);
        using var content = new StringContent(Chat("\"n\":1"), Encoding.UTF8, new MediaTypeHeaderValue("application/json"));
        content.Headers.TryAddWithoutValidation("Content-Encoding", coding);
        using var response = await cube.SendRawAsync(HttpMethod.Post, $"{tenant.Api}/chat/completions", tenant.Token, content);
        Assert.Equal(status, (int)response.StatusCode);
    }

    [Fact]
    public async Task Boolean_schemas_are_written_as_objects_for_Ollama()
    {
        const string Tools = """ "tools":[{"type":"function","function":{"name":"f","parameters":{"type":"object","properties":{"any":true,"none":false,"list":{"items":true,"anyOf":[true]}},"additionalProperties":false}}}] """;
        Assert.Equal(
            """{"type":"object","properties":{"any":{},"none":{"not":{}},"list":{"items":{},"anyOf":[{}]}},"additionalProperties":false}""",
            (await SentAsync("ollama", Chat(Tools))).GetProperty("tools")[0].GetProperty("function").GetProperty("parameters").GetRawText());
        Assert.Contains("\"any\":true", (await SentAsync("vllm", Chat(Tools))).GetRawText(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("chat/completions", """{"model":"m","messages":[{"role":"user","content":"hi"}],"response_format":{"type":"json_schema","json_schema":{"name":"n","schema":@}}}""")]
    [InlineData("chat/completions", """{"model":"m","messages":[{"role":"user","content":"hi"}],"tools":[{"type":"function","function":{"name":"f","parameters":@}}]}""")]
    [InlineData("responses", """{"model":"m","input":"hi","tools":[{"type":"function","name":"f","parameters":@}]}""")]
    [InlineData("responses", """{"model":"m","input":"hi","text":{"format":{"type":"json_schema","name":"n","schema":@}}}""")]
    public async Task The_deepest_schema_that_a_body_may_have_is_no_fault_of_the_proxys(string path, string body)
    {
        foreach (var levels in Enumerable.Range(244, 12))
        {
            var schema = string.Concat(Enumerable.Repeat("{\"items\":", levels)) + "{}" + new string('}', levels);
            var (cube, server, tenant) = system["vllm"];
            server.PlayJson(200, FakeBackend.Chat);
            using var content = new StringContent(body.Replace("@", schema, StringComparison.Ordinal), Encoding.UTF8, new MediaTypeHeaderValue("application/json"));
            using var response = await cube.SendRawAsync(HttpMethod.Post, $"{tenant.Api}/{path}", tenant.Token, content);
            Assert.Contains((int)response.StatusCode, (int[])[200, 400]);
        }
    }
}
