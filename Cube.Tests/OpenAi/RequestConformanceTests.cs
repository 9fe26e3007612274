using System.Text;
using System.Text.Json;
using Cube.Tests.Systems;

namespace Cube.Tests.OpenAi;

/// <summary>What of a request reaches a model server, and what is refused and how.</summary>
[Collection(SharesReplay.Name)]
public sealed class RequestConformanceTests(ReplaySystem system)
{
    private const string Hi = """[{"role":"user","content":"hi"}]""";
    private const string Pixel = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";
    private const string Tool = """{"type":"function","function":{"name":"f","parameters":{"type":"object"}}}""";

    private const string Answered =
        """{"id":"x","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"Hello."},"finish_reason":"stop"}],"usage":{"prompt_tokens":3,"completion_tokens":2,"total_tokens":5}}""";

    private async Task<ClientAnswer> AskAsync(string kind, string body, string path = "chat/completions", string type = "application/json")
    {
        var (cube, server, tenant) = system[kind];
        server.PlayJson(200, Answered);
        return await ClientAnswer.AskAsync(cube, tenant, path, body, type);
    }

    private static string Chat(string more) => $$"""{"model":"m","messages":{{Hi}}{{(more.Length > 0 ? "," : "")}}{{more}}}""";

    /// <returns>What reached the model server.</returns>
    private async Task<JsonElement> SentAsync(string kind, string body, string path = "chat/completions")
    {
        var answer = await AskAsync(kind, body, path);
        Assert.True(answer.Status == 200, answer.Text);
        return JsonElement.Parse(system[kind].Server.Requests.Last().Body);
    }

    [Theory]
    [InlineData("ollama")]
    [InlineData("vllm")]
    [Trait("Conformance", "HP-03"), Trait("Conformance", "HP-04"), Trait("Conformance", "HP-05")]
    public async Task The_new_name_of_the_limit_counts_and_the_smaller_of_both_wins(string kind)
    {
        foreach (var (more, limit) in new[] { ("\"max_completion_tokens\":5", 5), ("\"max_tokens\":5", 5), ("\"max_completion_tokens\":5,\"max_tokens\":50", 5), ("\"max_completion_tokens\":50,\"max_tokens\":5", 5) })
        {
            var sent = await SentAsync(kind, Chat(more));
            Assert.Equal(limit, sent.GetProperty("max_tokens").GetInt32());
            Assert.False(sent.TryGetProperty("max_completion_tokens", out _));
        }
    }

    [Theory]
    [InlineData("ollama")]
    [InlineData("vllm")]
    [Trait("Conformance", "HP-06")]
    public async Task A_developer_is_the_system_and_the_history_keeps_its_order(string kind)
    {
        var sent = await SentAsync(kind, """{"model":"m","messages":[{"role":"developer","content":"a"},{"role":"user","content":"b"},{"role":"assistant","content":"c"},{"role":"user","content":"d"}]}""");
        Assert.Equal(["system a", "user b", "assistant c", "user d"], sent.GetProperty("messages").EnumerateArray().Select(static message => $"{message.GetProperty("role").GetString()} {message.GetProperty("content").GetString()}"));
    }

    [Fact]
    [Trait("Conformance", "HP-07")]
    public async Task Text_parts_are_one_text_for_Ollama_and_parts_for_vLLM()
    {
        const string Body = """{"model":"m","messages":[{"role":"user","content":[{"type":"text","text":"Say"},{"type":"text","text":" \"hello\""}]}]}""";
        Assert.Equal("Say\n \"hello\"", (await SentAsync("ollama", Body)).GetProperty("messages")[0].GetProperty("content").GetString());
        Assert.Equal(" \"hello\"", (await SentAsync("vllm", Body)).GetProperty("messages")[0].GetProperty("content")[1].GetProperty("text").GetString());
    }

    [Theory]
    [InlineData("ollama")]
    [InlineData("vllm")]
    [Trait("Conformance", "HP-08")]
    public async Task Harmless_members_and_nulls_are_no_error_and_do_not_reach_the_model_server(string kind)
    {
        var sent = await SentAsync(kind, Chat("""
            "user":"u","metadata":{"a":"b"},"store":false,"service_tier":"auto","prediction":{"type":"content","content":"x"},"modalities":["text"],"verbosity":"low",
            "n":1,"temperature":null,"top_p":null,"tools":null,"tool_choice":null,"response_format":null,"stop":null,"stream":null,"stream_options":null,"logprobs":null,"seed":null,"functions":null
            """));
        Assert.Equal(kind == "vllm" ? ["cache_salt", "messages", "model"] : ["messages", "model"], sent.EnumerateObject().Select(static member => member.Name).Order(StringComparer.Ordinal));
    }

    [Theory]
    [InlineData("ollama")]
    [InlineData("vllm")]
    [Trait("Conformance", "HP-09")]
    public async Task Every_script_survives_and_half_a_character_does_not(string kind)
    {
        const string Text = "héllo \U0001F469‍\U0001F469‍\U0001F467 世界 é שלום";
        var sent = await SentAsync(kind, JsonSerializer.Serialize(new { model = "m", messages = new[] { new { role = "user", content = Text } } }));
        Assert.Equal(Text, sent.GetProperty("messages")[0].GetProperty("content").GetString());
        Assert.Equal("\U0001F600", (await SentAsync(kind, """{"model":"m","messages":[{"role":"user","content":"\ud83d\ude00"}]}""")).GetProperty("messages")[0].GetProperty("content").GetString());
        foreach (var half in (string[])[@"\ud83d", @"\ude00", @"\ud83d\u0041", @"\ud83dx", @"\\\ud83d", @"\uDe00\ud83d"])
        {
            Assert.Equal((400, "invalid_json"), Error(await AskAsync(kind, $$"""{"model":"m","messages":[{"role":"user","content":"{{half}}"}]}""")));
        }

        Assert.Equal(@"\ud83d", (await SentAsync(kind, """{"model":"m","messages":[{"role":"user","content":"\\ud83d"}]}""")).GetProperty("messages")[0].GetProperty("content").GetString());
    }

    [Fact]
    [Trait("Conformance", "HP-10")]
    public async Task Two_choices_are_two_or_an_error_and_never_one()
    {
        Assert.Equal((400, "unsupported_value", "n"), Fault(await AskAsync("ollama", Chat("\"n\":2"))));
        // This one was answered with one choice.
        Assert.Equal((502, "upstream_error"), Error(await AskAsync("vllm", Chat("\"n\":2"))));
        Assert.Equal(2, JsonElement.Parse(system["vllm"].Server.Requests.Last().Body).GetProperty("n").GetInt32());
    }

    [Theory]
    [InlineData("ollama")]
    [InlineData("vllm")]
    [Trait("Conformance", "HP-11"), Trait("Conformance", "HP-12")]
    public async Task Four_stops_pass_and_a_seed_keeps_its_digits(string kind)
    {
        var sent = await SentAsync(kind, Chat("""
            "stop":["a","b","c","d"],"seed":9007199254740993,"temperature":0.70,"top_p":1e-1
            """));
        Assert.Equal(4, sent.GetProperty("stop").GetArrayLength());
        Assert.Equal(("9007199254740993", "0.70", "1e-1"), (sent.GetProperty("seed").GetRawText(), sent.GetProperty("temperature").GetRawText(), sent.GetProperty("top_p").GetRawText()));
        Assert.Equal("-123456789012345678901234567890", (await SentAsync(kind, Chat("\"seed\":-123456789012345678901234567890"))).GetProperty("seed").GetRawText());
    }

    [Theory]
    [InlineData("ollama")]
    [InlineData("vllm")]
    [Trait("Conformance", "HP-13"), Trait("Conformance", "TN-06")]
    public async Task What_nobody_knows_and_what_steers_a_model_server_is_dropped_and_named(string kind)
    {
        var answer = await AskAsync(kind, Chat("""
            "x_foo":{"a":1.10},"cache_salt":"mine","priority":1,"request_id":"r","chat_template":"t","kv_transfer_params":{},"keep_alive":-1,"options":{},"prompt_logprobs":1,"vllm_xargs":{},"_debug_render_only":true,"bad name\r\nx: y":1
            """));
        Assert.Equal(200, answer.Status);
        Assert.Equal("x_foo, cache_salt, priority, request_id, chat_template, kv_transfer_params, keep_alive, options, prompt_logprobs, vllm_xargs, _debug_render_only", answer.Headers.GetValues("x-cube-ignored").Single());
        var sent = JsonElement.Parse(system[kind].Server.Requests.Last().Body);
        Assert.Equal(kind == "vllm" ? ["cache_salt", "messages", "model"] : ["messages", "model"], sent.EnumerateObject().Select(static member => member.Name).Order(StringComparer.Ordinal));
        if (kind == "vllm")
        {
            var other = await system[kind].Cube.CreateTenantAsync();
            await ClientAnswer.AskAsync(system[kind].Cube, other, "chat/completions", Chat(""));
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
    public async Task Usage_is_asked_for_explicitly_whatever_the_client_says(string kind)
    {
        var (cube, server, tenant) = system[kind];
        foreach (var options in (string[])["", ",\"stream_options\":{}", ",\"stream_options\":{\"include_usage\":false,\"continuous_usage_stats\":true}", ",\"stream_options\":{\"include_usage\":true}"])
        {
            server.Play(Recording.Find(kind == "vllm" ? "vllm-0.32.0/default/chat-stream-usage-continuous" : "ollama-0.17.4/default/chat-stream-usage"));
            await ClientAnswer.AskAsync(cube, tenant, "chat/completions", Chat($"\"stream\":true{options}"));
            Assert.Equal(kind == "vllm" ? """{"include_usage":true,"continuous_usage_stats":true}""" : """{"include_usage":true}""", JsonElement.Parse(server.Requests.Last().Body).GetProperty("stream_options").GetRawText());
        }
    }

    [Fact]
    [Trait("Conformance", "TL-03"), Trait("Conformance", "TL-04")]
    public async Task A_choice_of_tools_that_Ollama_would_ignore_is_made_here_or_refused()
    {
        var sent = await SentAsync("ollama", Chat($"\"tools\":[{Tool}],\"tool_choice\":\"none\""));
        Assert.False(sent.TryGetProperty("tools", out _) || sent.TryGetProperty("tool_choice", out _));
        Assert.True((await SentAsync("ollama", Chat($"\"tools\":[{Tool}],\"tool_choice\":\"auto\""))).TryGetProperty("tools", out _));
        const string Named = """{"type":"function","function":{"name":"f"}}""";
        foreach (var choice in (string[])["\"required\"", Named])
        {
            Assert.Equal((400, "unsupported_value", "tool_choice"), Fault(await AskAsync("ollama", Chat($"\"tools\":[{Tool}],\"tool_choice\":{choice}"))));
            Assert.Equal(JsonElement.Parse(choice).GetRawText(), (await SentAsync("vllm", Chat($"\"tools\":[{Tool}],\"tool_choice\":{choice}"))).GetProperty("tool_choice").GetRawText());
        }

        foreach (var kind in (string[])["ollama", "vllm"])
        {
            Assert.Equal(400, (await AskAsync(kind, Chat($"\"tools\":[{Tool}],\"tool_choice\":{Named.Replace("\"f\"", "\"nope\"", StringComparison.Ordinal)}"))).Status);
            Assert.Equal(400, (await AskAsync(kind, Chat("\"tool_choice\":\"required\""))).Status);
        }
    }

    [Theory]
    [InlineData("ollama")]
    [InlineData("vllm")]
    [Trait("Conformance", "TL-01")]
    public async Task A_result_of_a_tool_reaches_the_model_server_under_its_call(string kind)
    {
        var sent = await SentAsync(kind, """
            {"model":"m","messages":[{"role":"user","content":"hi"},{"role":"assistant","content":null,"tool_calls":[{"id":"call_1","type":"function","function":{"name":"f","arguments":"{\"a\":1.10}"}}]},{"role":"tool","tool_call_id":"call_1","content":"sunny"}]}
            """);
        Assert.Equal("call_1", sent.GetProperty("messages")[2].GetProperty("tool_call_id").GetString());
        Assert.Equal("{\"a\":1.10}", sent.GetProperty("messages")[1].GetProperty("tool_calls")[0].GetProperty("function").GetProperty("arguments").GetString());
    }

    public static TheoryData<string, string, string?> Refused => new()
    {
        // ER-02
        { """{"model":"m"}""", "missing_required_parameter", "messages" },
        { """{"model":"m","messages":[]}""", "invalid_value", "messages" },
        { """{"model":"m","messages":"hi"}""", "invalid_type", "messages" },
        { """{"model":"m","messages":[{"role":"wizard","content":"x"}]}""", "invalid_value", "messages[0].role" },
        { """{"model":"m","messages":[{"content":"x"}]}""", "missing_required_parameter", "messages[0].role" },
        { """{"model":"m","messages":[{"role":"user"}]}""", "missing_required_parameter", "messages[0].content" },
        { """{"model":"m","messages":[{"role":"user","content":5}]}""", "invalid_type", "messages[0].content" },
        { """{"model":"m","messages":[{"role":"user","content":[]}]}""", "invalid_value", "messages[0].content" },
        { """{"model":"m","messages":[{"role":"user","content":[{"type":"file","file":{}}]}]}""", "unsupported_value", "messages[0].content[0].type" },
        { """{"model":"m","messages":[{"role":"user","Content":"x","content":"y"}]}""", "invalid_value", "messages[0]" },
        { """{"model":"m","messages":[{"role":"tool","content":"x"}]}""", "missing_required_parameter", "messages[0].tool_call_id" },
        { """{"model":"m","messages":[{"role":"function","name":"f","content":"x"}]}""", "unsupported_value", "messages[0].role" },
        { """{"messages":[{"role":"user","content":"hi"}]}""", "missing_required_parameter", "model" },
        { """{"model":5,"messages":[{"role":"user","content":"hi"}]}""", "invalid_type", "model" },
        // ER-03
        { Chat("\"temperature\":5"), "invalid_value", "temperature" },
        { Chat("\"temperature\":\"hot\""), "invalid_type", "temperature" },
        { Chat("\"top_p\":1.1"), "invalid_value", "top_p" },
        { Chat("\"n\":0"), "invalid_value", "n" },
        { Chat("\"n\":129"), "invalid_value", "n" },
        { Chat("\"n\":1.5"), "invalid_type", "n" },
        { Chat("\"logprobs\":true,\"top_logprobs\":21"), "invalid_value", "top_logprobs" },
        { Chat("\"top_logprobs\":2"), "invalid_value", "top_logprobs" },
        { Chat("\"max_tokens\":-1"), "invalid_value", "max_tokens" },
        { Chat("\"max_tokens\":0"), "invalid_value", "max_tokens" },
        { Chat("\"max_completion_tokens\":0"), "invalid_value", "max_completion_tokens" },
        { Chat("\"presence_penalty\":-2.1"), "invalid_value", "presence_penalty" },
        { Chat("\"frequency_penalty\":3"), "invalid_value", "frequency_penalty" },
        { Chat("\"seed\":1.5"), "invalid_type", "seed" },
        { Chat("\"stop\":[\"a\",\"b\",\"c\",\"d\",\"e\"]"), "invalid_value", "stop" },
        { Chat("\"stop\":[1]"), "invalid_type", "stop" },
        { Chat("\"stream\":\"yes\""), "invalid_type", "stream" },
        // ST-07
        { Chat("\"stream_options\":{\"include_usage\":true}"), "invalid_value", "stream_options" },
        { Chat("\"stream\":false,\"stream_options\":{}"), "invalid_value", "stream_options" },
        // Known to OpenAI, not here
        { Chat("\"store\":true"), "unsupported_parameter", "store" },
        { Chat("\"modalities\":[\"text\",\"audio\"]"), "unsupported_parameter", "modalities" },
        { Chat("\"web_search_options\":{}"), "unsupported_parameter", "web_search_options" },
        { Chat("\"functions\":[]"), "unsupported_parameter", "functions" },
        { Chat("\"function_call\":\"auto\""), "unsupported_parameter", "function_call" },
        { Chat("\"tools\":[{\"type\":\"custom\",\"custom\":{\"name\":\"x\"}}]"), "unsupported_value", "tools[0].type" },
        { Chat("\"tools\":[{\"type\":\"function\"}]"), "missing_required_parameter", "tools[0].function" },
        { Chat($"\"tools\":[{Tool}],\"tool_choice\":{{\"type\":\"allowed_tools\"}}"), "unsupported_value", "tool_choice.type" },
        { Chat($"\"tools\":[{Tool}],\"tool_choice\":\"maybe\""), "invalid_value", "tool_choice" },
        // SO-03
        { Chat("\"response_format\":{\"type\":\"json_schema\",\"json_schema\":{\"schema\":{\"type\":\"object\"}}}"), "missing_required_parameter", "response_format.json_schema.name" },
        { Chat("\"response_format\":{\"type\":\"json_schema\",\"json_schema\":{\"name\":\"x\"}}"), "missing_required_parameter", "response_format.json_schema.schema" },
        { Chat("\"response_format\":{\"type\":\"json_schema\",\"json_schema\":{\"name\":\"x\",\"schema\":[]}}"), "invalid_type", "response_format.json_schema.schema" },
        { Chat("\"response_format\":{\"type\":\"json_schema\",\"json_schema\":{\"name\":\"x\",\"schema\":{\"type\":\"nonsense\"}}}"), "invalid_value", "response_format.json_schema.schema.type" },
        { Chat("\"response_format\":{\"type\":\"json_schema\",\"json_schema\":{\"name\":\"x\",\"schema\":{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"nonsense\"}}}}}"), "invalid_value", "response_format.json_schema.schema.type" },
        { Chat("\"response_format\":{\"type\":\"xml\"}"), "unsupported_value", "response_format.type" },
        // VI-02, VI-03
        { Image("http://169.254.169.254/latest/meta-data"), "invalid_value", "messages[0].content[0].image_url.url" },
        { Image("https://example.com/a.png"), "invalid_value", "messages[0].content[0].image_url.url" },
        { Image("file:///etc/passwd"), "invalid_value", "messages[0].content[0].image_url.url" },
        { Image("data:image/png;base64,%%%%"), "invalid_value", "messages[0].content[0].image_url.url" },
        { Image("data:image/svg+xml;base64,PHN2Zy8+"), "invalid_value", "messages[0].content[0].image_url.url" },
        { Image($"data:image/png;base64,{Bomb()}"), "invalid_value", "messages[0].content[0].image_url.url" },
        { Image("data:text/html;base64,PGI+"), "invalid_value", "messages[0].content[0].image_url.url" },
    };

    [Theory]
    [MemberData(nameof(Refused))]
    [Trait("Conformance", "ER-02"), Trait("Conformance", "ER-03"), Trait("Conformance", "SO-03"), Trait("Conformance", "ST-07"), Trait("Conformance", "VI-02"), Trait("Conformance", "VI-03")]
    public async Task A_request_that_breaks_a_rule_is_a_400_that_names_its_place(string body, string code, string? param)
    {
        foreach (var kind in (string[])["ollama", "vllm"])
        {
            var before = system[kind].Server.Requests.Count;
            var answer = await AskAsync(kind, body);
            Assert.Equal((400, code, param), Fault(answer));
            Assert.Equal("false", answer.Headers.GetValues("x-should-retry").Single());
            Assert.Equal(before, system[kind].Server.Requests.Count);
        }
    }

    public static TheoryData<string, string> NoJson => new()
    {
        { "{", "application/json" }, { "", "application/json" }, { "null", "application/json" }, { "[]", "application/json" }, { "\"x\"", "application/json" },
        { Chat("") + " x", "application/json" }, { Chat("") + Chat(""), "application/json" }, { Chat("\"model\":\"m\""), "application/json" }, { Chat("\"temperature\":1,\"temperature\":2"), "application/json" },
        { """{"model":"m","messages":[{"role":"user","role":"system","content":"x"}]}""", "application/json" }, { "﻿" + Chat(""), "application/json" },
        { $$"""{"model":"m","messages":{{Hi}},"x":{{new string('[', 10_000)}}{{new string(']', 10_000)}}}""", "application/json" }, { Chat("\"temperature\":NaN"), "application/json" }, { Chat("\"temperature\":01"), "application/json" },
        { Chat("\"Temperature\":1"), "application/json" }, { Chat("\"t\\u0065mperature\":1,\"temperature\":2"), "application/json" },
    };

    [Theory]
    [MemberData(nameof(NoJson))]
    [Trait("Conformance", "ER-01")]
    public async Task What_is_not_exactly_one_JSON_object_is_invalid_json(string body, string type)
    {
        foreach (var kind in (string[])["ollama", "vllm"])
        {
            Assert.Equal((400, "invalid_json"), Error(await AskAsync(kind, body, type: type)));
        }
    }

    [Fact]
    [Trait("Conformance", "ER-01")]
    public async Task Bytes_that_are_no_UTF8_are_invalid_json()
    {
        var (cube, _, tenant) = system["vllm"];
        foreach (var bytes in new[] { Encoding.Unicode.GetBytes(Chat("")), [.. "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\""u8, 0xC3, 0x28, .. "\"}]}"u8] })
        {
            using var content = new ByteArrayContent(bytes) { Headers = { ContentType = new("application/json") } };
            using var response = await cube.SendRawAsync(HttpMethod.Post, $"{tenant.Api}/chat/completions", tenant.Token, content);
            Assert.Equal(400, (int)response.StatusCode);
            Assert.Contains("invalid_json", await response.Content.ReadAsStringAsync(), StringComparison.Ordinal);
        }
    }

    [Theory]
    [InlineData("text/plain", 415)]
    [InlineData("multipart/form-data; boundary=x", 415)]
    [InlineData("application/x-www-form-urlencoded", 415)]
    [Trait("Conformance", "ER-05")]
    public async Task Another_media_type_is_refused(string type, int status) => Assert.Equal(status, (await AskAsync("vllm", Chat(""), type: type)).Status);

    [Theory]
    [InlineData("ollama")]
    [InlineData("vllm")]
    [Trait("Conformance", "VI-01")]
    public async Task An_image_in_the_request_passes_byte_for_byte(string kind)
    {
        var sent = await SentAsync(kind, Image($"data:image/png;base64,{Pixel}"));
        Assert.Equal($"data:image/png;base64,{Pixel}", sent.GetProperty("messages")[0].GetProperty("content")[0].GetProperty("image_url").GetProperty("url").GetString());
    }

    [Fact]
    [Trait("Conformance", "ER-11")]
    public async Task Ollama_is_asked_first_whether_a_long_prompt_fits()
    {
        var (cube, server, tenant) = system["ollama"];
        var prompt = new string('a', 3000);
        server.Play(Recording.Find("ollama-0.17.4/default/native-chat-truncate-false"));
        var answer = await ClientAnswer.AskAsync(cube, tenant, "chat/completions", Chat("").Replace("hi", prompt, StringComparison.Ordinal));
        Assert.Equal((400, "context_length_exceeded", "messages"), Fault(answer));
        var asked = server.Requests.Last();
        Assert.StartsWith("POST /api/chat ", asked.Head, StringComparison.Ordinal);
        Assert.Equal($$"""{"model":"m","stream":false,"truncate":false,"options":{"num_predict":1},"messages":[{"role":"user","content":"{{prompt}}"}]}""", asked.Body);
    }

    [Theory]
    [InlineData("""{"model":"m","input":[]}""", "invalid_value", "input")]
    [InlineData("""{"model":"m","input":""}""", "invalid_value", "input")]
    [InlineData("""{"model":"m","input":["a",""]}""", "invalid_value", "input")]
    [InlineData("""{"model":"m","input":["a",1]}""", "invalid_value", "input")]
    [InlineData("""{"model":"m"}""", "missing_required_parameter", "input")]
    [InlineData("""{"model":"m","input":"a","encoding_format":"hex"}""", "invalid_value", "encoding_format")]
    [InlineData("""{"model":"m","input":"a","dimensions":0}""", "invalid_value", "dimensions")]
    [Trait("Conformance", "EM-04")]
    public async Task An_input_that_is_none_is_a_400(string body, string code, string param)
    {
        foreach (var kind in (string[])["ollama", "vllm"])
        {
            Assert.Equal((400, code, param), Fault(await AskAsync(kind, body, "embeddings")));
        }
    }

    [Theory]
    [InlineData("/v1/embeddings", """{"model":"m","input":"a","n":"x","stream":5,"stream_options":"x","tool_choice":{},"parallel_tool_calls":[]}""")]
    [InlineData("/v1/completions", """{"model":"m","prompt":"a","tool_choice":{"type":"function"},"tools":5,"messages":1}""")]
    [InlineData("/tokenize", """{"model":"m","prompt":"a","n":{},"stream_options":[],"tool_choice":{}}""")]
    public async Task Members_of_other_endpoints_are_nobodys_business_whatever_they_are(string path, string body)
    {
        var (cube, server, tenant) = system["vllm"];
        server.PlayJson(200, FakeBackend.Chat);
        Assert.Equal(200, (await ClientAnswer.AskAsync(cube, tenant, path, body)).Status);
    }

    [Fact]
    [Trait("Conformance", "EM-03")]
    public async Task Tokens_are_for_vLLM_alone() =>
        Assert.Equal((400, "unsupported_value", "input"), Fault(await AskAsync("ollama", """{"model":"m","input":[1,2,3]}""", "embeddings")));

    private static string Image(string url) => JsonSerializer.Serialize(new
    {
        model = "m",
        messages = new[] { new { role = "user", content = new[] { new { type = "image_url", image_url = new { url } } } } },
    });

    /// <summary>A PNG whose header says 65535 by 65535.</summary>
    private static string Bomb()
    {
        var image = Convert.FromBase64String(Pixel);
        (image[18], image[19], image[22], image[23]) = (0xFF, 0xFF, 0xFF, 0xFF);
        return Convert.ToBase64String(image);
    }

    private static (int Status, string? Code) Error(ClientAnswer answer) => (answer.Status, answer.Code);

    private static (int Status, string? Code, string? Param) Fault(ClientAnswer answer) => (answer.Status, answer.Code, answer.Param);
}
