using System.Text;
using System.Text.Json;
using Cube.Tests.Inference.Chat;
using Cube.Tests.Systems;

namespace Cube.Tests.Functional.Inference;

/// <summary>Requests through the proxy and the agent to a model server. The unit tests of the translation are in <c>Cube.Tests.Inference</c>.</summary>
[Collection(ReplayCollectionDefinition.Name)]
public sealed class RequestConformanceTests(ReplaySystem system)
{
    private const string Answered =
        """{"id":"x","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"Hello."},"finish_reason":"stop"}],"usage":{"prompt_tokens":3,"completion_tokens":2,"total_tokens":5}}""";

    private async Task<ClientResponse> AskAsync(string kind, string body, string path = "chat/completions", string type = "application/json")
    {
        var (cube, server, tenant) = system[kind];
        server.PlayJson(200, Answered);
        return await ClientResponse.AskAsync(cube, tenant, path, body, type);
    }

    private static string Chat(string more) => ChatRequests.With(more);

    /// <returns>The request that the model server received.</returns>
    private async Task<JsonElement> SentAsync(string kind, string body, string path = "chat/completions")
    {
        var answer = await AskAsync(kind, body, path);
        Assert.True(answer.Status == 200, answer.Text);
        return JsonElement.Parse(system[kind].Server.Requests.Last().Body);
    }

    [Theory]
    [InlineData("ollama")]
    [InlineData("vllm")]
    [Trait("Conformance", "HP-03"), Trait("Conformance", "HP-09")]
    public async Task A_translated_request_reaches_the_model_server(string kind)
    {
        const string Text = "héllo \U0001F469‍\U0001F469‍\U0001F467 世界 é שלום";
        var sent = await SentAsync(kind, JsonSerializer.Serialize(new { model = "m", messages = new[] { new { role = "user", content = Text } }, max_completion_tokens = 5, user = "u" }));
        Assert.Equal(kind == "vllm" ? ["cache_salt", "max_tokens", "messages", "model"] : ["max_tokens", "messages", "model"], sent.EnumerateObject().Select(static member => member.Name).Order(StringComparer.Ordinal));
        Assert.Equal((Text, 5), (sent.GetProperty("messages")[0].GetProperty("content").GetString(), sent.GetProperty("max_tokens").GetInt32()));
    }

    [Fact]
    [Trait("Conformance", "HP-10")]
    public async Task A_response_with_fewer_choices_than_requested_is_rejected()
    {
        Assert.Equal((400, "unsupported_value", "n"), Fault(await AskAsync("ollama", Chat("\"n\":2"))));
        Assert.Equal((502, "upstream_error"), Error(await AskAsync("vllm", Chat("\"n\":2"))));
        Assert.Equal(2, JsonElement.Parse(system["vllm"].Server.Requests.Last().Body).GetProperty("n").GetInt32());
    }

    [Theory]
    [InlineData("ollama")]
    [InlineData("vllm")]
    [Trait("Conformance", "HP-13"), Trait("Conformance", "TN-06")]
    public async Task Ignored_members_are_reported_and_each_user_has_a_cache_salt(string kind)
    {
        var answer = await AskAsync(kind, Chat(ChatRequests.Steering));
        Assert.Equal((200, ChatRequests.SteeringNames), (answer.Status, answer.Headers.GetValues("x-cube-ignored").Single()));
        var sent = JsonElement.Parse(system[kind].Server.Requests.Last().Body);
        Assert.Equal(kind == "vllm" ? ["cache_salt", "messages", "model"] : ["messages", "model"], sent.EnumerateObject().Select(static member => member.Name).Order(StringComparer.Ordinal));
        if (kind == "vllm")
        {
            var other = await system[kind].Cube.CreateTenantAsync();
            await ClientResponse.AskAsync(system[kind].Cube, other, "chat/completions", Chat(""));
            var salts = (Mine: sent.GetProperty("cache_salt").GetString()!, Other: JsonElement.Parse(system[kind].Server.Requests.Last().Body).GetProperty("cache_salt").GetString()!);
            Assert.NotEqual("mine", salts.Mine);
            Assert.NotEqual(salts.Mine, salts.Other);
            Assert.Equal(salts.Mine.Length, salts.Other.Length);
            Assert.Equal(salts.Mine, (await SentAsync(kind, Chat(""))).GetProperty("cache_salt").GetString());
        }
    }

    [Theory]
    [InlineData("ollama")]
    [InlineData("vllm")]
    [Trait("Conformance", "ST-06"), Trait("Conformance", "ST-20")]
    public async Task A_stream_always_requests_usage_from_the_model_server(string kind)
    {
        var (cube, server, tenant) = system[kind];
        server.Play(Recording.Find(kind == "vllm" ? "vllm-0.32.0/default/chat-stream-usage-continuous" : "ollama-0.17.4/default/chat-stream-usage"));
        await ClientResponse.AskAsync(cube, tenant, "chat/completions", Chat("\"stream\":true,\"stream_options\":{\"include_usage\":false}"));
        Assert.Equal(kind == "vllm" ? """{"include_usage":true,"continuous_usage_stats":true}""" : """{"include_usage":true}""", JsonElement.Parse(server.Requests.Last().Body).GetProperty("stream_options").GetRawText());
    }

    /// <summary>One case per kind of rule. All rules are tested by <see cref="ChatRequestRejectionTests"/>.</summary>
    public static TheoryData<string, string, string, string?> Rejected => new()
    {
        { "ollama", """{"model":"m","messages":[{"role":"wizard","content":"x"}]}""", "invalid_value", "messages[0].role" },
        { "vllm", """{"messages":[{"role":"user","content":"hi"}]}""", "missing_required_parameter", "model" },
        { "ollama", Chat("\"temperature\":5"), "invalid_value", "temperature" },
        { "vllm", Chat("\"stream_options\":{\"include_usage\":true}"), "invalid_value", "stream_options" },
        { "ollama", Chat("\"store\":true"), "unsupported_parameter", "store" },
        { "vllm", Chat("\"response_format\":{\"type\":\"xml\"}"), "unsupported_value", "response_format.type" },
        { "vllm", ChatRequests.Image("http://169.254.169.254/latest/meta-data"), "invalid_value", "messages[0].content[0].image_url.url" },
        { "ollama", ChatRequests.Image($"data:image/png;base64,{ChatRequests.Bomb()}"), "invalid_value", "messages[0].content[0].image_url.url" },
    };

    [Theory]
    [MemberData(nameof(Rejected))]
    [Trait("Conformance", "ER-02"), Trait("Conformance", "ER-03"), Trait("Conformance", "VI-02")]
    public async Task An_invalid_request_reaches_no_model_server(string kind, string body, string code, string? param)
    {
        var before = system[kind].Server.Requests.Count;
        var answer = await AskAsync(kind, body);
        Assert.Equal((400, code, param), Fault(answer));
        Assert.Equal("false", answer.Headers.GetValues("x-should-retry").Single());
        Assert.Equal(before, system[kind].Server.Requests.Count);
    }

    [Theory]
    [InlineData("ollama", "{")]
    [InlineData("vllm", "")]
    [InlineData("vllm", """{"model":"m","model":"m","messages":[]}""")]
    [Trait("Conformance", "ER-01")]
    public async Task A_body_that_is_not_exactly_one_JSON_object_is_invalid_json(string kind, string body) => Assert.Equal((400, "invalid_json"), Error(await AskAsync(kind, body)));

    [Fact]
    [Trait("Conformance", "ER-01")]
    public async Task Bytes_that_are_not_UTF8_are_invalid_json()
    {
        var (cube, _, tenant) = system["vllm"];
        using var content = new ByteArrayContent(Encoding.Unicode.GetBytes(Chat(""))) { Headers = { ContentType = new("application/json") } };
        using var response = await cube.SendRawAsync(HttpMethod.Post, $"{tenant.Api}/chat/completions", tenant.Token, content);
        Assert.Equal(400, (int)response.StatusCode);
        Assert.Contains("invalid_json", await response.Content.ReadAsStringAsync(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("text/plain", 415)]
    [InlineData("multipart/form-data; boundary=x", 415)]
    [InlineData("application/x-www-form-urlencoded", 415)]
    [Trait("Conformance", "ER-05")]
    public async Task Another_media_type_is_rejected(string type, int status) => Assert.Equal(status, (await AskAsync("vllm", Chat(""), type: type)).Status);

    [Fact]
    [Trait("Conformance", "ER-11")]
    public async Task A_long_prompt_is_measured_by_Ollama_before_it_is_sent()
    {
        var (cube, server, tenant) = system["ollama"];
        var prompt = new string('a', 3000);
        server.Play(Recording.Find("ollama-0.17.4/default/native-chat-truncate-false"));
        var answer = await ClientResponse.AskAsync(cube, tenant, "chat/completions", Chat("").Replace("hi", prompt, StringComparison.Ordinal));
        Assert.Equal((400, "context_length_exceeded", "messages"), Fault(answer));
        var asked = server.Requests.Last();
        Assert.StartsWith("POST /api/chat ", asked.Head, StringComparison.Ordinal);
        Assert.Equal($$"""{"model":"m","stream":false,"truncate":false,"options":{"num_predict":1},"messages":[{"role":"user","content":"{{prompt}}"}]}""", asked.Body);
    }

    [Theory]
    [InlineData("ollama")]
    [InlineData("vllm")]
    [Trait("Conformance", "EM-04")]
    public async Task An_empty_embeddings_input_is_answered_with_400(string kind) => Assert.Equal((400, "invalid_value", "input"), Fault(await AskAsync(kind, """{"model":"m","input":[]}""", "embeddings")));

    private static (int Status, string? Code) Error(ClientResponse answer) => (answer.Status, answer.Code);

    private static (int Status, string? Code, string? Param) Fault(ClientResponse answer) => (answer.Status, answer.Code, answer.Param);
}
