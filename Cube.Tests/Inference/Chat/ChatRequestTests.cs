using System.Text.Json;

namespace Cube.Tests.Inference.Chat;

/// <summary>The translation of <c>POST /v1/chat/completions</c> into the request for each kind of model server.</summary>
public sealed class ChatRequestTests
{
    private const string Pixel = ChatRequests.Pixel;
    private const string Tool = ChatRequests.Tool;

    private static string Chat(string more) => ChatRequests.With(more);

    private static JsonElement Sent(string kind, string body) => Translation.SentTo(kind, body);

    private static IEnumerable<string> NamesOf(JsonElement sent) => sent.EnumerateObject().Select(static member => member.Name).Order(StringComparer.Ordinal);

    [Theory]
    [InlineData("ollama", "\"max_completion_tokens\":5")]
    [InlineData("ollama", "\"max_tokens\":5")]
    [InlineData("ollama", "\"max_completion_tokens\":5,\"max_tokens\":50")]
    [InlineData("ollama", "\"max_completion_tokens\":50,\"max_tokens\":5")]
    [InlineData("vllm", "\"max_completion_tokens\":5")]
    [InlineData("vllm", "\"max_tokens\":5")]
    [InlineData("vllm", "\"max_completion_tokens\":5,\"max_tokens\":50")]
    [InlineData("vllm", "\"max_completion_tokens\":50,\"max_tokens\":5")]
    [Trait("Conformance", "HP-03"), Trait("Conformance", "HP-04"), Trait("Conformance", "HP-05")]
    public void The_smaller_of_two_limits_is_sent_under_the_older_name(string kind, string limits)
    {
        var sent = Sent(kind, Chat(limits));
        Assert.Equal(5, sent.GetProperty("max_tokens").GetInt32());
        Assert.False(sent.TryGetProperty("max_completion_tokens", out _));
    }

    [Theory]
    [InlineData("ollama")]
    [InlineData("vllm")]
    [Trait("Conformance", "HP-06")]
    public void A_developer_message_is_sent_as_a_system_message_and_the_order_is_kept(string kind)
    {
        var sent = Sent(kind, """{"model":"m","messages":[{"role":"developer","content":"a"},{"role":"user","content":"b"},{"role":"assistant","content":"c"},{"role":"user","content":"d"}]}""");
        Assert.Equal(["system a", "user b", "assistant c", "user d"], sent.GetProperty("messages").EnumerateArray().Select(static message => $"{message.GetProperty("role").GetString()} {message.GetProperty("content").GetString()}"));
    }

    [Fact]
    [Trait("Conformance", "HP-07")]
    public void Text_parts_are_joined_for_Ollama_and_kept_for_vLLM()
    {
        const string Body = """{"model":"m","messages":[{"role":"user","content":[{"type":"text","text":"Say"},{"type":"text","text":" \"hello\""}]}]}""";
        Assert.Equal("Say\n \"hello\"", Sent("ollama", Body).GetProperty("messages")[0].GetProperty("content").GetString());
        Assert.Equal(" \"hello\"", Sent("vllm", Body).GetProperty("messages")[0].GetProperty("content")[1].GetProperty("text").GetString());
    }

    [Theory]
    [InlineData("ollama")]
    [InlineData("vllm")]
    [Trait("Conformance", "HP-08")]
    public void Harmless_members_and_nulls_are_accepted_and_not_sent(string kind)
    {
        var sent = Sent(kind, Chat("""
            "user":"u","metadata":{"a":"b"},"store":false,"service_tier":"auto","prediction":{"type":"content","content":"x"},"modalities":["text"],"verbosity":"low",
            "n":1,"temperature":null,"top_p":null,"tools":null,"tool_choice":null,"response_format":null,"stop":null,"stream":null,"stream_options":null,"logprobs":null,"seed":null,"functions":null
            """));
        Assert.Equal(kind == "vllm" ? ["cache_salt", "messages", "model"] : ["messages", "model"], NamesOf(sent));
    }

    [Theory]
    [InlineData("ollama", "héllo \U0001F469‍\U0001F469‍\U0001F467 世界 é שלום")]
    [InlineData("vllm", "héllo \U0001F469‍\U0001F469‍\U0001F467 世界 é שלום")]
    [Trait("Conformance", "HP-09")]
    public void Text_of_every_script_is_sent_unchanged(string kind, string text) => Assert.Equal(
        text, Sent(kind, JsonSerializer.Serialize(new { model = "m", messages = new[] { new { role = "user", content = text } } })).GetProperty("messages")[0].GetProperty("content").GetString());

    [Theory]
    [InlineData("ollama", @"\ud83d\ude00", "\U0001F600")]
    [InlineData("ollama", @"\\ud83d", @"\ud83d")]
    [InlineData("vllm", @"\ud83d\ude00", "\U0001F600")]
    [InlineData("vllm", @"\\ud83d", @"\ud83d")]
    [Trait("Conformance", "HP-09")]
    public void Escapes_of_whole_characters_are_sent_as_the_characters(string kind, string escaped, string text) =>
        Assert.Equal(text, Sent(kind, $$"""{"model":"m","messages":[{"role":"user","content":"{{escaped}}"}]}""").GetProperty("messages")[0].GetProperty("content").GetString());

    [Fact]
    [Trait("Conformance", "HP-10")]
    public void Two_choices_are_sent_to_vLLM_and_rejected_for_Ollama()
    {
        Assert.Equal(2, Sent("vllm", Chat("\"n\":2")).GetProperty("n").GetInt32());
        Assert.Equal((400, "unsupported_value", "n"), Translation.Of("ollama", Chat("\"n\":2")).Error);
    }

    [Theory]
    [InlineData("ollama")]
    [InlineData("vllm")]
    [Trait("Conformance", "HP-11"), Trait("Conformance", "HP-12")]
    public void Four_stop_sequences_are_sent_and_numbers_keep_their_digits(string kind)
    {
        var sent = Sent(kind, Chat("""
            "stop":["a","b","c","d"],"seed":9007199254740993,"temperature":0.70,"top_p":1e-1
            """));
        Assert.Equal(4, sent.GetProperty("stop").GetArrayLength());
        Assert.Equal(("9007199254740993", "0.70", "1e-1"), (sent.GetProperty("seed").GetRawText(), sent.GetProperty("temperature").GetRawText(), sent.GetProperty("top_p").GetRawText()));
        Assert.Equal("-123456789012345678901234567890", Sent(kind, Chat("\"seed\":-123456789012345678901234567890")).GetProperty("seed").GetRawText());
    }

    [Theory]
    [InlineData("ollama")]
    [InlineData("vllm")]
    [Trait("Conformance", "HP-13"), Trait("Conformance", "TN-06")]
    public void Unknown_members_and_members_that_control_the_model_server_are_dropped_and_named(string kind)
    {
        var translation = Translation.Of(kind, Chat(ChatRequests.Steering));
        Assert.Equal((200, ChatRequests.SteeringNames), (translation.Status, translation.Ignored));
        Assert.Equal(kind == "vllm" ? ["cache_salt", "messages", "model"] : ["messages", "model"], NamesOf(translation.Sent));
        Assert.True(kind == "ollama" || translation.Sent.GetProperty("cache_salt").ValueEquals(Translation.Salt));
    }

    [Theory]
    [InlineData("ollama")]
    [InlineData("vllm")]
    public void Unknown_members_of_messages_are_dropped_and_named_once(string kind)
    {
        var translation = Translation.Of(kind, """{"model":"m","x":1,"messages":[{"role":"user","content":"a","createdAt":1},{"role":"user","createdAt":2,"content":[{"type":"text","text":"b","cache_control":{"type":"ephemeral"}}]}]}""");
        Assert.Equal((200, "x, messages[].createdAt, messages[].content[].cache_control"), (translation.Status, translation.Ignored));
        Assert.DoesNotContain("cache_control", translation.Sent.GetRawText(), StringComparison.Ordinal);
        Assert.DoesNotContain("createdAt", translation.Sent.GetRawText(), StringComparison.Ordinal);
    }

    [Fact]
    public void At_most_sixteen_ignored_names_are_reported() =>
        Assert.Equal(16, Translation.Of("vllm", Chat(string.Join(',', Enumerable.Range(0, 5000).Select(static i => $"\"u{i}\":1")))).Ignored?.Split(", ").Length);

    [Theory]
    [InlineData("ollama", "")]
    [InlineData("ollama", ",\"stream_options\":{}")]
    [InlineData("ollama", ",\"stream_options\":{\"include_usage\":false,\"continuous_usage_stats\":true}")]
    [InlineData("ollama", ",\"stream_options\":{\"include_usage\":true}")]
    [InlineData("vllm", "")]
    [InlineData("vllm", ",\"stream_options\":{}")]
    [InlineData("vllm", ",\"stream_options\":{\"include_usage\":false,\"continuous_usage_stats\":true}")]
    [InlineData("vllm", ",\"stream_options\":{\"include_usage\":true}")]
    [Trait("Conformance", "ST-06"), Trait("Conformance", "ST-20")]
    public void A_stream_always_asks_for_usage_explicitly(string kind, string options) => Assert.Equal(
        kind == "vllm" ? """{"include_usage":true,"continuous_usage_stats":true}""" : """{"include_usage":true}""",
        Sent(kind, Chat($"\"stream\":true{options}")).GetProperty("stream_options").GetRawText());

    [Fact]
    [Trait("Conformance", "TL-03"), Trait("Conformance", "TL-04")]
    public void Tool_choice_none_removes_the_tools_for_Ollama_and_auto_keeps_them()
    {
        var sent = Sent("ollama", Chat($"\"tools\":[{Tool}],\"tool_choice\":\"none\""));
        Assert.False(sent.TryGetProperty("tools", out _) || sent.TryGetProperty("tool_choice", out _));
        Assert.True(Sent("ollama", Chat($"\"tools\":[{Tool}],\"tool_choice\":\"auto\"")).TryGetProperty("tools", out _));
    }

    [Theory]
    [InlineData("\"required\"")]
    [InlineData("""{"type":"function","function":{"name":"f"}}""")]
    [Trait("Conformance", "TL-03"), Trait("Conformance", "TL-04")]
    public void A_forced_tool_call_is_sent_to_vLLM_and_rejected_for_Ollama(string choice)
    {
        Assert.Equal((400, "unsupported_value", "tool_choice"), Translation.Of("ollama", Chat($"\"tools\":[{Tool}],\"tool_choice\":{choice}")).Error);
        Assert.Equal(choice, Sent("vllm", Chat($"\"tools\":[{Tool}],\"tool_choice\":{choice}")).GetProperty("tool_choice").GetRawText());
    }

    [Theory]
    [InlineData("ollama")]
    [InlineData("vllm")]
    [Trait("Conformance", "TL-03"), Trait("Conformance", "TL-04")]
    public void A_choice_of_an_unknown_tool_or_without_tools_is_rejected(string kind)
    {
        Assert.Equal(400, Translation.Of(kind, Chat("\"tools\":[" + Tool + """],"tool_choice":{"type":"function","function":{"name":"nope"}}""")).Status);
        Assert.Equal(400, Translation.Of(kind, Chat("\"tool_choice\":\"required\"")).Status);
    }

    [Theory]
    [InlineData("ollama")]
    [InlineData("vllm")]
    [Trait("Conformance", "TL-01")]
    public void A_tool_result_is_sent_with_the_id_of_its_call(string kind)
    {
        var sent = Sent(kind, """
            {"model":"m","messages":[{"role":"user","content":"hi"},{"role":"assistant","content":null,"tool_calls":[{"id":"call_1","type":"function","function":{"name":"f","arguments":"{\"a\":1.10}"}}]},{"role":"tool","tool_call_id":"call_1","content":"sunny"}]}
            """);
        Assert.Equal("call_1", sent.GetProperty("messages")[2].GetProperty("tool_call_id").GetString());
        Assert.Equal("{\"a\":1.10}", sent.GetProperty("messages")[1].GetProperty("tool_calls")[0].GetProperty("function").GetProperty("arguments").GetString());
    }

    public static MatrixTheoryData<string, string> CallsWithoutArguments { get; } =
        new(["ollama", "vllm"], ["", ",\"arguments\":\"\"", ",\"arguments\":null", ",\"arguments\":\" \"", ",\"arguments\":\"null\""]);

    [Theory]
    [MemberData(nameof(CallsWithoutArguments))]
    public void A_tool_call_without_arguments_is_sent_with_an_empty_object(string kind, string none)
    {
        Assert.Equal("{}", ArgumentsIn(Sent(kind,
            $$"""{"model":"m","messages":[{"role":"user","content":"a"},{"role":"assistant","content":null,"tool_calls":[{"id":"c","type":"function","function":{"name":"f"{{none}} } }]},{"role":"tool","tool_call_id":"c","content":"x"}]}""")));
        Assert.Equal("{}", ArgumentsIn(Translation.SentTo(kind,
            $$"""{"model":"m","input":[{"role":"user","content":"a"},{"type":"function_call","call_id":"c","name":"f"{{none}}},{"type":"function_call_output","call_id":"c","output":"x"}]}""", "responses")));

        static string? ArgumentsIn(JsonElement sent) => sent.GetProperty("messages")[1].GetProperty("tool_calls")[0].GetProperty("function").GetProperty("arguments").GetString();
    }

    [Theory]
    [InlineData("ollama")]
    [InlineData("vllm")]
    public void A_refusal_of_an_assistant_is_sent_as_its_content(string kind) => Assert.Equal(
        "No.", Sent(kind, """{"model":"m","messages":[{"role":"user","content":"a"},{"role":"assistant","content":null,"refusal":"No."},{"role":"user","content":"b"}]}""").GetProperty("messages")[1].GetProperty("content").GetString());

    [Theory]
    [InlineData("none", "none")]
    [InlineData("minimal", "low")]
    [InlineData("low", "low")]
    [InlineData("medium", "medium")]
    [InlineData("high", "high")]
    [InlineData("xhigh", "high")]
    [InlineData("max", "high")]
    public void Reasoning_effort_is_sent_to_vLLM_and_mapped_to_the_nearest_value_for_Ollama(string effort, string atOllama)
    {
        Assert.Equal(effort, Sent("vllm", Chat($"\"reasoning_effort\":\"{effort}\"")).GetProperty("reasoning_effort").GetString());
        Assert.Equal(atOllama, Sent("ollama", Chat($"\"reasoning_effort\":\"{effort}\"")).GetProperty("reasoning_effort").GetString());
        Assert.Equal(effort, Translation.SentTo("vllm", $$"""{"model":"m","input":"hi","reasoning":{"effort":"{{effort}}"} }""", "responses").GetProperty("reasoning_effort").GetString());
    }

    [Theory]
    [InlineData("0")]
    [InlineData("0.0")]
    [InlineData("-0.0")]
    [InlineData("1e-400")]
    public void A_top_p_of_zero_is_sent_as_the_least_that_vLLM_accepts(string zero)
    {
        Assert.Equal(1e-6, Sent("vllm", Chat($"\"top_p\":{zero}")).GetProperty("top_p").GetDouble());
        Assert.Equal(zero, Sent("ollama", Chat($"\"top_p\":{zero}")).GetProperty("top_p").GetRawText());
        Assert.Equal(1e-6, Translation.SentTo("vllm", $$"""{"model":"m","prompt":"hi","top_p":{{zero}}}""", "completions").GetProperty("top_p").GetDouble());
        Assert.Equal(1e-6, Translation.SentTo("vllm", $$"""{"model":"m","input":"hi","top_p":{{zero}}}""", "responses").GetProperty("top_p").GetDouble());
    }

    [Fact]
    public void An_empty_logit_bias_is_dropped_and_another_is_for_vLLM_alone()
    {
        Assert.False(Sent("ollama", Chat("\"logit_bias\":{}")).TryGetProperty("logit_bias", out _));
        Assert.Equal("""{"5":-100}""", Sent("vllm", Chat("\"logit_bias\":{\"5\":-100}")).GetProperty("logit_bias").GetRawText());
        Assert.Equal((400, "unsupported_parameter", "logit_bias"), Translation.Of("ollama", Chat("\"logit_bias\":{\"5\":-100}")).Error);
    }

    public static MatrixTheoryData<string, string> DataUrls { get; } = new(
        ["ollama", "vllm"],
        ["data:image/png;base64,", "data:image/png;charset=utf-8;base64,", "data:image/png;base64;charset=utf-8,", "DATA:Image/PNG;name=a.png;BASE64,", "data:image/png; base64,"]);

    [Theory]
    [MemberData(nameof(DataUrls))]
    [Trait("Conformance", "VI-01")]
    public void An_image_is_sent_byte_for_byte_in_a_data_URL_without_parameters(string kind, string head) => Assert.Equal(
        $"data:image/png;base64,{Pixel}",
        Sent(kind, ChatRequests.Image(head + Pixel)).GetProperty("messages")[0].GetProperty("content")[0].GetProperty("image_url").GetProperty("url").GetString());

    [Fact]
    public void Boolean_schemas_are_sent_to_Ollama_as_objects()
    {
        const string Tools = """ "tools":[{"type":"function","function":{"name":"f","parameters":{"type":"object","properties":{"any":true,"none":false,"list":{"items":true,"anyOf":[true]}},"additionalProperties":false}}}] """;
        Assert.Equal(
            """{"type":"object","properties":{"any":{},"none":{"not":{}},"list":{"items":{},"anyOf":[{}]}},"additionalProperties":false}""",
            Sent("ollama", Chat(Tools)).GetProperty("tools")[0].GetProperty("function").GetProperty("parameters").GetRawText());
        Assert.Contains("\"any\":true", Sent("vllm", Chat(Tools)).GetRawText(), StringComparison.Ordinal);
    }
}
