using System.Text;

namespace Cube.Tests.Inference.Chat;

/// <summary>Chat requests that the proxy rejects before it calls a model server, and the errors.</summary>
public sealed class ChatRequestRejectionTests
{
    private const string Hi = ChatRequests.Hi;
    private const string Tool = ChatRequests.Tool;

    private static string Chat(string more) => ChatRequests.With(more);

    private static IEnumerable<string> Kinds => ["ollama", "vllm"];

    private static (string Body, string Code, string? Param)[] Broken =>
    [
        // ER-02
        ("""{"model":"m"}""", "missing_required_parameter", "messages"),
        ("""{"model":"m","messages":[]}""", "invalid_value", "messages"),
        ("""{"model":"m","messages":"hi"}""", "invalid_type", "messages"),
        ("""{"model":"m","messages":[{"role":"wizard","content":"x"}]}""", "invalid_value", "messages[0].role"),
        ("""{"model":"m","messages":[{"content":"x"}]}""", "missing_required_parameter", "messages[0].role"),
        ("""{"model":"m","messages":[{"role":"user"}]}""", "missing_required_parameter", "messages[0].content"),
        ("""{"model":"m","messages":[{"role":"user","content":5}]}""", "invalid_type", "messages[0].content"),
        ("""{"model":"m","messages":[{"role":"user","content":[]}]}""", "invalid_value", "messages[0].content"),
        ("""{"model":"m","messages":[{"role":"user","content":[{"type":"file","file":{}}]}]}""", "unsupported_value", "messages[0].content[0].type"),
        ("""{"model":"m","messages":[{"role":"user","Content":"x","content":"y"}]}""", "invalid_value", "messages[0]"),
        ("""{"model":"m","messages":[{"role":"tool","content":"x"}]}""", "missing_required_parameter", "messages[0].tool_call_id"),
        ("""{"model":"m","messages":[{"role":"function","name":"f","content":"x"}]}""", "unsupported_value", "messages[0].role"),
        ("""{"messages":[{"role":"user","content":"hi"}]}""", "missing_required_parameter", "model"),
        ("""{"model":5,"messages":[{"role":"user","content":"hi"}]}""", "invalid_type", "model"),
        // ER-03
        (Chat("\"temperature\":5"), "invalid_value", "temperature"),
        (Chat("\"temperature\":\"hot\""), "invalid_type", "temperature"),
        (Chat("\"top_p\":1.1"), "invalid_value", "top_p"),
        (Chat("\"n\":0"), "invalid_value", "n"),
        (Chat("\"n\":129"), "invalid_value", "n"),
        (Chat("\"n\":1.5"), "invalid_type", "n"),
        (Chat("\"logprobs\":true,\"top_logprobs\":21"), "invalid_value", "top_logprobs"),
        (Chat("\"top_logprobs\":2"), "invalid_value", "top_logprobs"),
        (Chat("\"max_tokens\":-1"), "invalid_value", "max_tokens"),
        (Chat("\"max_tokens\":0"), "invalid_value", "max_tokens"),
        (Chat("\"max_completion_tokens\":0"), "invalid_value", "max_completion_tokens"),
        (Chat("\"presence_penalty\":-2.1"), "invalid_value", "presence_penalty"),
        (Chat("\"frequency_penalty\":3"), "invalid_value", "frequency_penalty"),
        (Chat("\"seed\":1.5"), "invalid_type", "seed"),
        (Chat("\"stop\":[\"a\",\"b\",\"c\",\"d\",\"e\"]"), "invalid_value", "stop"),
        (Chat("\"stop\":[1]"), "invalid_type", "stop"),
        (Chat("\"stream\":\"yes\""), "invalid_type", "stream"),
        // ST-07
        (Chat("\"stream_options\":{\"include_usage\":true}"), "invalid_value", "stream_options"),
        (Chat("\"stream\":false,\"stream_options\":{}"), "invalid_value", "stream_options"),
        // Parameters of OpenAI that Cube does not support
        (Chat("\"store\":true"), "unsupported_parameter", "store"),
        (Chat("\"modalities\":[\"text\",\"audio\"]"), "unsupported_parameter", "modalities"),
        (Chat("\"web_search_options\":{}"), "unsupported_parameter", "web_search_options"),
        (Chat("\"functions\":[]"), "unsupported_parameter", "functions"),
        (Chat("\"function_call\":\"auto\""), "unsupported_parameter", "function_call"),
        (Chat("\"tools\":[{\"type\":\"custom\",\"custom\":{\"name\":\"x\"}}]"), "unsupported_value", "tools[0].type"),
        (Chat("\"tools\":[{\"type\":\"function\"}]"), "missing_required_parameter", "tools[0].function"),
        (Chat($"\"tools\":[{Tool}],\"tool_choice\":{{\"type\":\"allowed_tools\"}}"), "unsupported_value", "tool_choice.type"),
        (Chat($"\"tools\":[{Tool}],\"tool_choice\":\"maybe\""), "invalid_value", "tool_choice"),
        // SO-03
        (Chat("\"response_format\":{\"type\":\"json_schema\",\"json_schema\":{\"schema\":{\"type\":\"object\"}}}"), "missing_required_parameter", "response_format.json_schema.name"),
        (Chat("\"response_format\":{\"type\":\"json_schema\",\"json_schema\":{\"name\":\"x\"}}"), "missing_required_parameter", "response_format.json_schema.schema"),
        (Chat("\"response_format\":{\"type\":\"json_schema\",\"json_schema\":{\"name\":\"x\",\"schema\":[]}}"), "invalid_type", "response_format.json_schema.schema"),
        (Chat("\"response_format\":{\"type\":\"json_schema\",\"json_schema\":{\"name\":\"x\",\"schema\":{\"type\":\"nonsense\"}}}"), "invalid_value", "response_format.json_schema.schema.type"),
        (Chat("\"response_format\":{\"type\":\"json_schema\",\"json_schema\":{\"name\":\"x\",\"schema\":{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"nonsense\"}}}}}"), "invalid_value", "response_format.json_schema.schema.type"),
        (Chat("\"response_format\":{\"type\":\"xml\"}"), "unsupported_value", "response_format.type"),
        // VI-02, VI-03
        (ChatRequests.Image("http://169.254.169.254/latest/meta-data"), "invalid_value", "messages[0].content[0].image_url.url"),
        (ChatRequests.Image("https://example.com/a.png"), "invalid_value", "messages[0].content[0].image_url.url"),
        (ChatRequests.Image("file:///etc/passwd"), "invalid_value", "messages[0].content[0].image_url.url"),
        (ChatRequests.Image("data:image/png;base64,%%%%"), "invalid_value", "messages[0].content[0].image_url.url"),
        (ChatRequests.Image("data:image/svg+xml;base64,PHN2Zy8+"), "invalid_value", "messages[0].content[0].image_url.url"),
        (ChatRequests.Image($"data:image/png;base64,{ChatRequests.Bomb()}"), "invalid_value", "messages[0].content[0].image_url.url"),
        (ChatRequests.Image("data:text/html;base64,PGI+"), "invalid_value", "messages[0].content[0].image_url.url"),
    ];

    public static TheoryData<string, string, string?, string> Rejected =>
        [.. from kind in Kinds from broken in Broken select new TheoryDataRow<string, string, string?, string>(kind, broken.Code, broken.Param, broken.Body)];

    [Theory]
    [MemberData(nameof(Rejected))]
    [Trait("Conformance", "ER-02"), Trait("Conformance", "ER-03"), Trait("Conformance", "SO-03"), Trait("Conformance", "ST-07"), Trait("Conformance", "VI-02"), Trait("Conformance", "VI-03")]
    public void An_invalid_request_is_a_400_that_names_the_parameter(string kind, string code, string? param, string body) =>
        Assert.Equal((400, code, param), Translation.Of(kind, body).Error);

    private static readonly Dictionary<string, string> _noObject = new(StringComparer.Ordinal)
    {
        { "an unfinished object", "{" }, { "nothing", "" }, { "null", "null" }, { "an array", "[]" }, { "a string", "\"x\"" },
        { "text after the object", Chat("") + " x" },
        { "two objects", Chat("") + Chat("") },
        { "a member twice", Chat("\"model\":\"m\"") },
        { "a parameter twice", Chat("\"temperature\":1,\"temperature\":2") },
        { "a member of a message twice", """{"model":"m","messages":[{"role":"user","role":"system","content":"x"}]}""" },
        { "a byte order mark", "﻿" + Chat("") },
        { "10,000 levels", $$"""{"model":"m","messages":{{Hi}},"x":{{new string('[', 10_000)}}{{new string(']', 10_000)}}}""" },
        { "a number that is none", Chat("\"temperature\":NaN") },
        { "a number with a leading zero", Chat("\"temperature\":01") },
        { "a name in two letter cases", Chat("\"Temperature\":1") },
        { "a name twice, once escaped", Chat("\"t\\u0065mperature\":1,\"temperature\":2") },
        { "the first half of a pair", Content(@"\ud83d") }, { "the second half of a pair", Content(@"\ude00") }, { "half a pair before an escape", Content(@"\ud83d\u0041") },
        { "half a pair before a letter", Content(@"\ud83dx") }, { "half a pair after a backslash", Content(@"\\\ud83d") }, { "a pair in the wrong order", Content(@"\uDe00\ud83d") },
    };

    public static MatrixTheoryData<string, string> NoObject => new(Kinds, _noObject.Keys);

    [Theory]
    [MemberData(nameof(NoObject))]
    [Trait("Conformance", "ER-01"), Trait("Conformance", "HP-09")]
    public void A_body_that_is_not_exactly_one_JSON_object_is_invalid_json(string kind, string what) =>
        Assert.Equal((400, "invalid_json", null), Translation.Of(kind, _noObject[what]).Error);

    [Fact]
    [Trait("Conformance", "ER-01")]
    public void Bytes_that_are_not_UTF8_are_invalid_json()
    {
        Assert.Equal((400, "invalid_json", null), Translation.Of("vllm", Encoding.Unicode.GetBytes(Chat(""))).Error);
        byte[] half = [.. "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\""u8, 0xC3, 0x28, .. "\"}]}"u8];
        Assert.Equal((400, "invalid_json", null), Translation.Of("vllm", half).Error);
    }

    [Theory]
    [InlineData("ollama")]
    [InlineData("vllm")]
    public void An_assistant_message_without_content_and_tool_calls_is_rejected(string kind) => Assert.Equal(
        (400, "missing_required_parameter", "messages[1].content"),
        Translation.Of(kind, """{"model":"m","messages":[{"role":"user","content":"a"},{"role":"assistant","content":null,"tool_calls":[]},{"role":"user","content":"b"}]}""").Error);

    [Theory]
    [InlineData("data:image/png;charset=utf-8,")]
    [InlineData("data:;base64,")]
    [InlineData("data:base64,")]
    [InlineData("data:text/html;image/png;base64,")]
    public void A_data_URL_that_is_not_an_image_in_base64_is_rejected(string head) => Assert.Equal(400, Translation.Of("vllm", ChatRequests.Image(head + ChatRequests.Pixel)).Status);

    private static string Content(string content) => $$"""{"model":"m","messages":[{"role":"user","content":"{{content}}"}]}""";
}
