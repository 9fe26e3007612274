using System.ClientModel;
using System.Diagnostics;
using System.Text;
using System.Text.Json;
using Cube.Tests.Functional.EndToEnd;
using Cube.Tests.Systems;
using OpenAI;
using OpenAI.Chat;

namespace Cube.Tests.Functional.Inference;

/// <summary>Streams, and the failures of a model server within a stream.</summary>
[Collection(ReplayCollectionDefinition.Name)]
public sealed class StreamConformanceTests(ReplaySystem system)
{
    private const string Body = """{"model":"m","stream":true,"messages":[{"role":"user","content":"hi"}]}""";

    private static string Delta(string delta, string finish = "null", string more = "") =>
        $$"""data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1700000000,"model":"m","choices":[{"index":0,"delta":{{delta}},"finish_reason":{{finish}}}]{{more}}}""" + "\n\n";

    private static readonly string[] _good =
    [
        Delta("""{"role":"assistant","content":""}"""), Delta("""{"content":"a"}"""), Delta("""{"content":"b"}"""), Delta("""{"content":"c"}"""), Delta("{}", "\"stop\""), "data: [DONE]\n\n",
    ];

    private async Task<ClientResponse> AskAsync(string kind, string body = Body)
    {
        var (cube, _, tenant) = system[kind];
        return await ClientResponse.AskAsync(cube, tenant, "chat/completions", body);
    }

    [Theory]
    [InlineData("ollama")]
    [InlineData("vllm")]
    [Trait("Conformance", "ST-08"), Trait("Conformance", "ST-09")]
    public async Task Every_split_gives_the_same_text_without_replacement_characters(string kind)
    {
        const string Text = "héllo \U0001F469‍\U0001F467 世界";
        var (_, server, _) = system[kind];
        string? stableText = null;
        foreach (var split in Enum.GetValues<Split>())
        {
            server.PlayEvents(Delta("""{"role":"assistant","content":""}"""), Delta($$"""{"content":"{{Text}}"}"""), Delta("{}", "\"stop\""), "data: [DONE]\n\n");
            server.Split = split;
            var answer = await AskAsync(kind);
            Assert.Equal(Text, answer.Content);
            Assert.Equal(stableText ??= answer.StableText, answer.StableText);
        }
    }

    [Theory]
    [InlineData("ollama")]
    [InlineData("vllm")]
    [Trait("Conformance", "ST-10")]
    public async Task A_backend_crash_is_a_502_before_the_first_event_and_aborts_the_stream_after_it(string kind)
    {
        var (_, server, _) = system[kind];
        for (var events = 0; events < 5; events++)
        {
            server.PlayEvents(_good.Take(events));
            // The socket closes without the last HTTP chunk.
            server.Cut = server.Answer.Length - "0\r\n\r\n".Length;
            var answer = await AskAsync(kind);
            if (events == 0)
            {
                Assert.Equal((502, "upstream_error"), (answer.Status, answer.Code));
                Assert.Equal("1", answer.Headers.GetValues("retry-after").Single());
            }
            else
            {
                Assert.Equal((200, true), (answer.Status, answer.IsBroken));
            }
        }
    }

    [Theory]
    [InlineData("vllm")]
    [Trait("Conformance", "ST-10")]
    public async Task A_stream_that_is_cut_at_any_byte_never_ends_normally(string kind)
    {
        var (_, server, _) = system[kind];
        server.PlayEvents(_good);
        var (whole, head) = (server.Answer.Length, server.Reads[0].Length);
        // From this byte on every choice has ended and only the end marker is missing.
        var end = Encoding.UTF8.GetString(server.Answer).IndexOf("\"stop\"}]}", StringComparison.Ordinal) + "\"stop\"}]}".Length;
        for (var cut = head; cut < whole - 8; cut += 7)
        {
            server.PlayEvents(_good);
            server.Cut = cut;
            var answer = await AskAsync(kind);
            Assert.True(answer.Status == 502 || answer.IsBroken || cut >= end, $"cut at {cut} of {whole}: {answer.Text}");
        }
    }

    public static TheoryData<string, string, bool> Failures => new()
    {
        { "ST-11", """data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1,"model":"","choices":[{"index":0,"delta":{"content":""},"finish_reason":null}]}""" + "\n\n", true },
        { "ST-12", """data: {"error":{"message":"EngineCore died","type":"InternalServerError","param":null,"code":500}}""" + "\n\ndata: [DONE]\n\n", true },
        { "ST-12 text", """data: {"error":"boom"}""" + "\n\ndata: [DONE]\n\n", true },
        { "no SSE", """{"error":{"message":"boom"}}""" + "\n\n", true },
        { "ST-13", "", true },
        { "ST-13 done", "data: [DONE]\n\n", true },
        { "ST-18", Delta("{}", "\"abort\"") + "data: [DONE]\n\n", true },
        { "load", Delta("{}", "\"load\"") + "data: [DONE]\n\n", true },
        { "no JSON", "data: {\"choices\":\n\n", true },
        { "no object", "data: 5\n\n", true },
        { "another choice", """data: {"model":"m","choices":[{"index":7,"delta":{"content":"x"},"finish_reason":null}]}""" + "\n\n", true },
        { "after the end", Delta("{}", "\"stop\"") + Delta("""{"content":"more"}"""), true },
        { "unfinished event", """data: {"model":"m","choices":[{"index":0,"delta":{"content":"x"},"fin""", true },
    };

    [Theory]
    [MemberData(nameof(Failures))]
    [Trait("Conformance", "ST-11"), Trait("Conformance", "ST-12"), Trait("Conformance", "ST-13"), Trait("Conformance", "ST-18")]
    public async Task Every_backend_failure_sends_an_error_event_and_aborts(string name, string tail, bool isBroken)
    {
        foreach (var kind in (string[])["ollama", "vllm"])
        {
            var (_, server, _) = system[kind];
            server.PlayEvents([_good[0], _good[1], tail]);
            if (tail.Length == 0)
            {
                server.PlayEvents([_good[0], _good[1]]);
            }

            var answer = await AskAsync(kind);
            Assert.True(answer.IsBroken == isBroken, $"{name}: {answer.Text}");
            Assert.Equal("upstream_error", answer.Events[^1].GetProperty("error").GetProperty("code").GetString());
            Assert.DoesNotContain("boom", answer.Text, StringComparison.Ordinal);
            Assert.DoesNotContain("died", answer.Text, StringComparison.Ordinal);
            // The same failure before the first event is an HTTP error.
            server.PlayEvents(tail.Length == 0 ? [] : [tail]);
            if (name != "after the end")
            {
                Assert.Equal((502, "upstream_error"), await AskAsync(kind) is var first ? (first.Status, first.Code) : default);
            }
        }
    }

    [Fact]
    [Trait("Conformance", "ST-14"), Trait("Conformance", "ST-15")]
    public async Task A_backend_timeout_is_a_504_before_the_first_event_and_aborts_the_stream_after_it()
    {
        var (_, server, _) = system["vllm"];
        server.PlayEvents(_good.Take(3));
        server.Cut = server.Answer.Length - "0\r\n\r\n".Length;
        server.Stalls = true;
        var since = Stopwatch.StartNew();
        var answer = await AskAsync("vllm");
        Assert.True(answer.IsBroken);
        Assert.Equal("upstream_timeout", answer.Events[^1].GetProperty("error").GetProperty("code").GetString());
        Assert.InRange(since.Elapsed.TotalSeconds, 1.5, 10);

        server.PlayEvents([]);
        server.Cut = server.Reads[0].Length;
        server.Stalls = true;
        answer = await AskAsync("vllm");
        Assert.Equal((504, "upstream_timeout"), (answer.Status, answer.Code));
        server.Cut = 0;
        answer = await AskAsync("vllm", Body.Replace("true", "false", StringComparison.Ordinal));
        Assert.Equal((504, "upstream_timeout"), (answer.Status, answer.Code));
    }

    [Fact]
    [Trait("Conformance", "ST-18"), Trait("Conformance", "SD-03")]
    public async Task The_NET_SDK_throws_when_a_stream_fails()
    {
        var (cube, server, tenant) = system["vllm"];
        foreach (var tail in (string[])[Delta("{}", "\"abort\""), "data: {\"error\":{\"message\":\"boom\"}}\n\ndata: [DONE]\n\n", ""])
        {
            server.PlayEvents(tail.Length == 0 ? _good.Take(2) : [.. _good.Take(2), tail]);
            var client = new ChatClient("m", new ApiKeyCredential(tenant.Token), new OpenAIClientOptions { Endpoint = new Uri(cube.Proxy, $"{tenant.Api}") });
            await Assert.ThrowsAnyAsync<IOException>(async () =>
            {
                await foreach (var _ in client.CompleteChatStreamingAsync("hi"))
                {
                }
            });
        }
    }

    [Fact]
    [Trait("Conformance", "ST-17")]
    public async Task A_slow_client_uses_bounded_memory_and_receives_the_whole_stream()
    {
        var (cube, server, tenant) = system["vllm"];
        var big = Delta($$"""{"content":"{{new string('x', 10_000)}}"}""");
        server.PlayEvents([_good[0], .. Enumerable.Repeat(big, 1000), _good[4], _good[5]]);
        var process = Process.GetProcessById(cube["Cube.Proxy"].Id);
        using var response = await cube.SendRawAsync(HttpMethod.Post, $"{tenant.Api}/chat/completions", tenant.Token, new StringContent(Body, Encoding.UTF8, "application/json"));
        process.Refresh();
        var before = process.WorkingSet64;
        // Longer than the timeout between two events, which applies to the model server and not to the client.
        await Task.Delay(TimeSpan.FromSeconds(3));
        process.Refresh();
        Assert.True(process.WorkingSet64 - before < 40 << 20, $"{(process.WorkingSet64 - before) >> 20} MiB growth");
        var text = await response.Content.ReadAsStringAsync();
        Assert.EndsWith("data: [DONE]\n\n", text, StringComparison.Ordinal);
        Assert.Equal(10_000_000, text.Replace("index", "", StringComparison.Ordinal).Count(static character => character == 'x'));
    }

    [Fact]
    [Trait("Conformance", "TL-02"), Trait("Conformance", "TL-05"), Trait("Conformance", "TL-06"), Trait("Conformance", "TL-07")]
    public async Task Streamed_tool_calls_are_ordered_and_have_ids_and_string_arguments()
    {
        var (_, server, _) = system["vllm"];
        const string Calls =
            """{"tool_calls":[{"index":0,"id":"call_a","type":"function","function":{"name":"f","arguments":""}},{"index":1,"id":"","type":"function","function":{"name":"g","arguments":{"x":1.10}}}]}""";
        string[] events = [Delta(Calls), Delta("""{"tool_calls":[{"index":0,"function":{"arguments":"{\"y\":2}"}}]}"""), Delta("{}", "\"stop\""), "data: [DONE]\n\n"];
        const string Tools = ",\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"f\"}},{\"type\":\"function\",\"function\":{\"name\":\"g\"}}]}";
        server.PlayEvents(events);
        var answer = await AskAsync("vllm", Body[..^1] + Tools);
        var calls = answer.Events.SelectMany(static json => json.GetProperty("choices")[0].GetProperty("delta").TryGetProperty("tool_calls", out var some) ? some.EnumerateArray().ToArray() : []).ToList();
        Assert.Equal([0, 1, 0], calls.Select(static call => call.GetProperty("index").GetInt32()));
        Assert.Equal("call_a", calls[0].GetProperty("id").GetString());
        Assert.StartsWith("call_", calls[1].GetProperty("id").GetString(), StringComparison.Ordinal);
        Assert.Equal("""{"x":1.10}""", calls[1].GetProperty("function").GetProperty("arguments").GetString());
        Assert.Equal("tool_calls", answer.Events[^1].GetProperty("choices")[0].GetProperty("finish_reason").GetString());

        server.PlayEvents(events);
        answer = await AskAsync("vllm", Body[..^1] + ",\"parallel_tool_calls\":false" + Tools);
        Assert.DoesNotContain("\"g\"", answer.Text, StringComparison.Ordinal);
        Assert.Contains("{\\\"y\\\":2}", answer.Text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_buffered_response_has_exactly_the_OpenAI_members()
    {
        var (cube, server, tenant) = system["vllm"];
        server.PlayJson(200, """
            {"id":"chatcmpl-7","object":"chat.completion","created":1.5,"model":"/weights/m","system_fingerprint":"fp_ollama","prompt_text":"the prompt","kv_transfer_params":{"a":1},"service_tier":null,
             "choices":[{"index":0,"stop_reason":null,"token_ids":[1],"message":{"role":"assistant","content":"","reasoning_content":"hm","annotations":null,"audio":null,"function_call":null,
             "tool_calls":[{"index":0,"id":"call_1","type":"function","function":{"name":"f","arguments":{"a":9007199254740993}}},{"index":1,"id":null,"function":{"name":"g","arguments":"{}"}}]},"logprobs":null,"finish_reason":"stop"}],
             "usage":{"prompt_tokens":3,"completion_tokens":2,"total_tokens":99,"prompt_tokens_details":null,"completion_tokens_details":{"reasoning_tokens":1}}}
            """);
        var answer = await ClientResponse.AskAsync(cube, tenant, "chat/completions", Body.Replace("\"stream\":true,", "", StringComparison.Ordinal));
        var json = answer.Json;
        Assert.Equal(["id", "object", "created", "model", "choices", "usage"], json.EnumerateObject().Select(static member => member.Name));
        Assert.True(json.GetProperty("id").GetString()!.Length >= 20);
        Assert.Equal("m", json.GetProperty("model").GetString());
        var choice = json.GetProperty("choices")[0];
        Assert.Equal(["index", "message", "logprobs", "finish_reason"], choice.EnumerateObject().Select(static member => member.Name));
        Assert.Equal("tool_calls", choice.GetProperty("finish_reason").GetString());
        var message = choice.GetProperty("message");
        Assert.Equal(["role", "content", "refusal", "reasoning", "tool_calls"], message.EnumerateObject().Select(static member => member.Name));
        Assert.Equal(JsonValueKind.Null, message.GetProperty("content").ValueKind);
        Assert.Equal("""{"a":9007199254740993}""", message.GetProperty("tool_calls")[0].GetProperty("function").GetProperty("arguments").GetString());
        Assert.False(message.GetProperty("tool_calls")[0].TryGetProperty("index", out _));
        Assert.StartsWith("call_", message.GetProperty("tool_calls")[1].GetProperty("id").GetString(), StringComparison.Ordinal);
        Assert.Equal("""{"prompt_tokens":3,"completion_tokens":2,"total_tokens":5,"completion_tokens_details":{"reasoning_tokens":1}}""", json.GetProperty("usage").GetRawText());
        Assert.DoesNotContain("the prompt", answer.Text, StringComparison.Ordinal);
    }

    public static MatrixTheoryData<string, string> Unusable { get; } = new(
        ["ollama", "vllm"],
        [
            """{"choices":[{"index":0,"message":{"role":"assistant","content":"x"},"finish_reason":null}]}""",
            """{"choices":[{"index":0,"message":{"role":"assistant","content":"x"},"finish_reason":"abort"}]}""",
            """{"choices":[]}""",
            """{"error":{"message":"secret"}}""",
            """{}""",
            """[]""",
            """{"choices":[{"index":0,"message":"x","finish_reason":"stop"}]}""",
            """{"choices":[{"index":0,"message":{"role":"assistant","content":["x"]},"finish_reason":"stop"}]}""",
            "",
        ]);

    [Theory]
    [MemberData(nameof(Unusable))]
    [Trait("Conformance", "ER-09")]
    public async Task An_unusable_200_response_is_answered_with_502(string kind, string body)
    {
        system[kind].Server.PlayJson(200, body);
        var answer = await AskAsync(kind, Body.Replace("\"stream\":true,", "", StringComparison.Ordinal));
        Assert.Equal((502, "upstream_error"), (answer.Status, answer.Code));
    }

    [Fact]
    [Trait("Conformance", "CA-04")]
    public async Task Fifty_aborted_requests_leave_no_open_connection()
    {
        var (cube, server, tenant) = system["vllm"];
        server.PlayEvents(_good.Take(2));
        server.Cut = server.Answer.Length - "0\r\n\r\n".Length;
        server.Stalls = true;
        await Parallel.ForEachAsync(Enumerable.Range(0, 50), async (_, ct) =>
        {
            using var response = await cube.SendRawAsync(HttpMethod.Post, $"{tenant.Api}/chat/completions", tenant.Token, new StringContent(Body, Encoding.UTF8, "application/json"));
            await using var stream = await response.Content.ReadAsStreamAsync(ct);
            Assert.True(await stream.ReadAsync(new byte[16], ct) > 0);
        });
        // The model server has no open request after a second.
        await Eventually.TrueAsync(() => Task.FromResult(server.Open <= 1), $"{server.Open} connections are open", 3);
        server.PlayEvents(_good);
        Assert.Equal("abc", (await AskAsync("vllm")).Content);
    }

    [Theory]
    [InlineData(Sdk.OpenAi6)]
    [InlineData(Sdk.OpenAi7)]
    [Trait("Conformance", "ST-10"), Trait("Conformance", "SD-01"), Trait("Conformance", "SD-02"), Trait("Conformance", "SD-04")]
    public async Task Every_npm_SDK_reports_a_failed_stream(Sdk sdk)
    {
        var (cube, server, tenant) = system["vllm"];
        foreach (var tail in (string[])["data: {\"error\":{\"message\":\"boom\"}}\n\ndata: [DONE]\n\n", ""])
        {
            server.PlayEvents(tail.Length == 0 ? _good.Take(2) : [.. _good.Take(2), tail]);
            var seen = await NodeScripts.RunAsync("failing.mjs", sdk, new("CUBE_BASE_URL", new Uri(cube.Proxy, tenant.Api).AbsoluteUri), new("CUBE_TOKEN", tenant.Token), new("CUBE_MODEL", "m"));
            Assert.All(seen.EnumerateObject(), static sdk => Assert.True(sdk.Value.ValueKind == JsonValueKind.Object, $"{sdk.Name} did not report the failure"));
            Assert.Equal("upstream_error", seen.GetProperty("openai").GetProperty("code").GetString());
        }
    }
}
