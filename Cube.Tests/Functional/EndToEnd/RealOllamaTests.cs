using System.ClientModel;
using System.Diagnostics;
using System.Text;
using System.Text.Json;
using Cube.Tests.Systems;
using OpenAI.Chat;

namespace Cube.Tests.Functional.EndToEnd;

/// <summary>Valid requests of the conformance table with the real Ollama.</summary>
[Collection(OllamaCollectionDefinition.Name)]
public sealed class RealOllamaTests(OllamaSystem system)
{
    private const string Model = OllamaServer.Model;
    private readonly CubeSystem _cube = system.Cube;

    private static string Chat(string more, string prompt = "Say hello to Ada.") =>
        $$"""{"model":"{{Model}}","messages":[{"role":"user","content":"{{prompt}}"}],"temperature":0{{(more.Length > 0 ? "," : "")}}{{more}}}""";

    private async Task<ClientResponse> AskAsync(string body, string path = "chat/completions") => await ClientResponse.AskAsync(_cube, await _cube.CreateTenantAsync(), path, body);

    [Fact]
    [Trait("Conformance", "SD-03")]
    public async Task The_NET_SDK_chats_with_and_without_streaming() => await ChatTests.ChatAsync(_cube, Model);

    [Fact]
    [Trait("Conformance", "HP-02")]
    public async Task Eight_concurrent_chats_have_different_ids()
    {
        var answers = await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => AskAsync(Chat("\"max_tokens\":3"))));
        Assert.Equal(8, answers.Select(static answer => answer.Json.GetProperty("id").GetString()).Distinct().Count());
        Assert.Equal(8, answers.Select(static answer => answer.Headers.GetValues("x-request-id").Single()).Distinct().Count());
    }

    [Theory]
    [InlineData("\"max_completion_tokens\":5")]
    [InlineData("\"max_tokens\":5")]
    [InlineData("\"max_tokens\":50,\"max_completion_tokens\":5")]
    [Trait("Conformance", "HP-03"), Trait("Conformance", "HP-04"), Trait("Conformance", "HP-05")]
    public async Task A_token_limit_is_applied(string limit)
    {
        var json = (await AskAsync(Chat(limit, "Tell a long story about a lighthouse."))).Json;
        Assert.InRange(json.GetProperty("usage").GetProperty("completion_tokens").GetInt32(), 1, 6);
        Assert.Equal("length", json.GetProperty("choices")[0].GetProperty("finish_reason").GetString());
    }

    [Fact]
    [Trait("Conformance", "HP-11"), Trait("Conformance", "HP-14"), Trait("Conformance", "HP-16")]
    public async Task Stop_sequences_completions_and_logprobs_work()
    {
        Assert.DoesNotContain("e", (await AskAsync(Chat("\"max_tokens\":30,\"stop\":[\"e\",\"x\",\"y\",\"z\"]"))).Json.GetProperty("choices")[0].GetProperty("message").GetProperty("content").GetString(), StringComparison.Ordinal);
        Assert.NotEqual("", (await AskAsync($$"""{"model":"{{Model}}","prompt":"Once upon a time","max_tokens":8}""", "completions")).Json.GetProperty("choices")[0].GetProperty("text").GetString());
        var logprobs = (await AskAsync(Chat("\"max_tokens\":3,\"logprobs\":true,\"top_logprobs\":2"))).Json.GetProperty("choices")[0].GetProperty("logprobs");
        Assert.Equal(2, logprobs.GetProperty("content")[0].GetProperty("top_logprobs").GetArrayLength());
    }

    [Fact]
    [Trait("Conformance", "HP-01"), Trait("Conformance", "ST-01"), Trait("Conformance", "ST-02"), Trait("Conformance", "ST-03"), Trait("Conformance", "US-01")]
    public async Task A_stream_has_the_text_and_usage_of_the_buffered_response()
    {
        var whole = (await AskAsync(Chat("\"max_tokens\":20"))).Json;
        var plain = await AskAsync(Chat("\"max_tokens\":20,\"stream\":true"));
        var metered = await AskAsync(Chat("\"max_tokens\":20,\"stream\":true,\"stream_options\":{\"include_usage\":true}"));
        var text = whole.GetProperty("choices")[0].GetProperty("message").GetProperty("content").GetString();
        Assert.Equal(text, plain.Content);
        Assert.Equal(("no-cache, no-transform", "no", "text/event-stream"), (plain.Headers.CacheControl!.ToString() is "no-transform, no-cache" or "no-cache, no-transform" ? "no-cache, no-transform" : "", plain.Headers.GetValues("x-accel-buffering").Single(), plain.Type));
        Assert.EndsWith("}\n\ndata: [DONE]\n\n", plain.Text, StringComparison.Ordinal);
        Assert.Equal(text, metered.Content);
        Assert.Equal(whole.GetProperty("usage").GetProperty("completion_tokens").GetInt32(), metered.Events[^1].GetProperty("usage").GetProperty("completion_tokens").GetInt32());
    }

    [Fact]
    [Trait("Conformance", "ST-04")]
    public async Task A_long_response_arrives_in_many_reads()
    {
        var tenant = await _cube.CreateTenantAsync();
        using var content = new StringContent(Chat("\"max_tokens\":100,\"stream\":true", "Tell a long story."), Encoding.UTF8, "application/json");
        using var response = await _cube.SendRawAsync(HttpMethod.Post, $"{tenant.Api}/chat/completions", tenant.Token, content);
        await using var stream = await response.Content.ReadAsStreamAsync();
        var (reads, buffer, since) = (0, new byte[64 << 10], Stopwatch.StartNew());
        var first = TimeSpan.Zero;
        while (await stream.ReadAsync(buffer) > 0)
        {
            first = reads++ == 0 ? since.Elapsed : first;
        }

        Assert.True(reads >= 6 && first < since.Elapsed / 2, $"{reads} reads, the first after {first} of {since.Elapsed}");
    }

    [Fact]
    [Trait("Conformance", "CA-01"), Trait("Conformance", "CA-02")]
    public async Task A_client_disconnect_stops_the_model_and_the_next_request_is_served()
    {
        var tenant = await _cube.CreateTenantAsync();
        var chat = _cube.CreateSdkClient(tenant).GetChatClient(Model);
        var since = Stopwatch.StartNew();
        var seen = 0;
        await foreach (var _ in chat.CompleteChatStreamingAsync([new UserChatMessage("Count to ten thousand.")], new ChatCompletionOptions { MaxOutputTokenCount = 2000 }))
        {
            if (++seen == 3)
            {
                break;
            }
        }

        Assert.True(since.Elapsed < TimeSpan.FromSeconds(20), $"{since.Elapsed}");
        Assert.NotEmpty((await chat.CompleteChatAsync([new UserChatMessage("hi")], new ChatCompletionOptions { MaxOutputTokenCount = 3 })).Value.Content);
    }

    [Fact]
    [Trait("Conformance", "EM-01"), Trait("Conformance", "EM-02")]
    public async Task Embeddings_as_floats_and_as_base64_agree_and_keep_their_order()
    {
        var floats = (await AskAsync($$"""{"model":"{{Model}}","input":["a","b","c"],"encoding_format":"float"}""", "embeddings")).Json.GetProperty("data");
        var base64 = (await AskAsync($$"""{"model":"{{Model}}","input":["a","b","c"],"encoding_format":"base64"}""", "embeddings")).Json.GetProperty("data");
        for (var i = 0; i < 3; i++)
        {
            Assert.Equal(i, floats[i].GetProperty("index").GetInt32());
            var expected = floats[i].GetProperty("embedding").EnumerateArray().Select(static number => number.GetSingle()).ToArray();
            var bytes = base64[i].GetProperty("embedding").GetBytesFromBase64();
            var actual = Enumerable.Range(0, expected.Length).Select(at => BitConverter.ToSingle(bytes, at * 4)).ToArray();
            Assert.All(expected.Zip(actual), static pair => Assert.Equal(pair.First, pair.Second, 1e-4f));
        }
    }

    [Fact]
    [Trait("Conformance", "ER-11")]
    public async Task A_prompt_beyond_the_context_is_rejected_and_not_truncated()
    {
        var answer = await AskAsync(Chat("\"max_tokens\":3", string.Concat(Enumerable.Repeat("word ", 20_000))));
        Assert.Equal((400, "context_length_exceeded", "messages"), (answer.Status, answer.Code, answer.Param));
        // A long prompt within the context.
        Assert.Equal(200, (await AskAsync(Chat("\"max_tokens\":3", string.Concat(Enumerable.Repeat("word ", 450))))).Status);
    }

    [Fact]
    [Trait("Conformance", "VI-04")]
    public async Task An_image_for_a_model_without_vision_is_rejected()
    {
        const string Pixel = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";
        var answer = await AskAsync($$$"""{"model":"{{{Model}}}","messages":[{"role":"user","content":[{"type":"text","text":"what?"},{"type":"image_url","image_url":{"url":"data:image/png;base64,{{{Pixel}}}"}}]}]}""");
        Assert.Equal((400, "unsupported_value", "messages"), (answer.Status, answer.Code, answer.Param));
    }

    [Fact]
    [Trait("Conformance", "TL-01"), Trait("Conformance", "TL-03"), Trait("Conformance", "TL-04"), Trait("Conformance", "SO-01")]
    public async Task Unsupported_tools_are_rejected_and_schemas_are_followed()
    {
        var answer = await AskAsync(Chat("\"max_tokens\":3,\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"f\",\"parameters\":{\"type\":\"object\"}}}]"));
        Assert.Equal((400, "unsupported_parameter", "tools"), (answer.Status, answer.Code, answer.Param));
        Assert.Equal(200, (await AskAsync(Chat("\"max_tokens\":3,\"tool_choice\":\"none\",\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"f\"}}]"))).Status);
        var schema = "{\"type\":\"object\",\"properties\":{\"capital\":{\"type\":\"string\"}},\"required\":[\"capital\"]}";
        answer = await AskAsync(Chat($"\"max_tokens\":60,\"response_format\":{{\"type\":\"json_schema\",\"json_schema\":{{\"name\":\"x\",\"schema\":{schema}}}}}", "Capital of France as JSON."));
        Assert.Equal(JsonValueKind.String, JsonElement.Parse(answer.Json.GetProperty("choices")[0].GetProperty("message").GetProperty("content").GetString()!).GetProperty("capital").ValueKind);
    }

    [Fact]
    [Trait("Conformance", "TN-08")]
    public async Task Fifty_streams_of_two_tenants_never_mix()
    {
        Tenant[] tenants = [await _cube.CreateTenantAsync(), await _cube.CreateTenantAsync()];
        var answers = await Task.WhenAll(Enumerable.Range(0, 50).Select(async i => (i, Answer: await ClientResponse.AskAsync(_cube, tenants[i % 2], "chat/completions", Chat("\"max_tokens\":2,\"stream\":true,\"seed\":1", $"Say {i % 2}")))));
        Assert.All(answers, static pair => Assert.Equal(200, pair.Answer.Status));
        Assert.Equal(50, answers.Select(static pair => pair.Answer.Events[0].GetProperty("id").GetString()).Distinct().Count());
        Assert.All(answers.GroupBy(static pair => pair.i % 2), static tenant => Assert.Single(tenant.Select(static pair => pair.Answer.Content).Distinct()));
    }

    [Fact]
    [Trait("Conformance", "SD-01"), Trait("Conformance", "SD-02"), Trait("Conformance", "SD-06")]
    public async Task The_AI_SDK_LangChain_and_the_Ollama_client_chat_stream_and_report_usage()
    {
        var tenant = await _cube.CreateTenantAsync();
        var seen = await NodeScripts.RunAsync("others.mjs", Sdk.OpenAi6,
            new("CUBE_BASE_URL", new Uri(_cube.Proxy, tenant.Api).AbsoluteUri), new("CUBE_TOKEN", tenant.Token), new("CUBE_MODEL", Model),
            new("CUBE_NATIVE_URL", new Uri(_cube.Proxy, $"/proxy/{tenant.Domain}").AbsoluteUri));
        foreach (var name in (string[])["generated", "streamed", "invoked", "chained"])
        {
            var one = seen.GetProperty(name);
            Assert.NotEqual("", one.GetProperty("text").GetString());
            var usage = one.GetProperty("usage");
            Assert.True((usage.TryGetProperty("outputTokens", out var output) ? output : usage.GetProperty("output_tokens")).GetInt32() is > 0 and <= 12, $"{name}: {usage}");
        }

        Assert.True(seen.GetProperty("streamed").GetProperty("deltas").GetInt32() > 2);
        var refused = seen.GetProperty("refused");
        Assert.Equal((401, false, "The API key is not valid."), (refused.GetProperty("status").GetInt32(), refused.GetProperty("isRetryable").GetBoolean(), refused.GetProperty("message").GetString()));
        var native = seen.GetProperty("native");
        Assert.Contains(Model, native.GetProperty("models").EnumerateArray().Select(static name => name.GetString()));
        Assert.Equal(2, native.GetProperty("embeddings").GetInt32());
        Assert.True(native.GetProperty("lines").GetInt32() > 2 && native.GetProperty("text").GetString()!.Length > 0 && native.GetProperty("chat").GetString()!.Length > 0);
    }
}
