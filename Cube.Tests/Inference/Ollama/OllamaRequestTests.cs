namespace Cube.Tests.Inference.Ollama;

/// <summary>The translation of Ollama's own endpoints.</summary>
public sealed class OllamaRequestTests
{
    private const string Chat = """{"model":"m","messages":[{"role":"user","content":"hi"}]}""";

    [Fact]
    public void Members_that_control_the_server_are_not_sent()
    {
        var translation = Translation.Of("ollama", Chat[..^1] + ""","stream":false,"keep_alive":-1,"template":"x","options":{"temperature":0.50,"num_ctx":999999,"num_gpu":9,"num_predict":5}}""", "/api/chat");
        Assert.Equal((200, "template"), (translation.Status, translation.Ignored));
        Assert.Equal(["messages", "model", "options", "stream"], translation.Sent.EnumerateObject().Select(static member => member.Name).Order(StringComparer.Ordinal));
        Assert.Equal("""{"temperature":0.50,"num_predict":5}""", translation.Sent.GetProperty("options").GetRawText());
    }

    [Theory]
    [InlineData("/api/chat", """{"model":"m"}""", "messages")]
    [InlineData("/api/chat", """{"model":"m","messages":[]}""", "messages")]
    [InlineData("/api/chat", """{"model":"m","messages":[{"role":"user","Content":"x"}]}""", "messages[0]")]
    [InlineData("/api/chat", """{"model":"m","messages":[{"role":"user","content":"x","images":["%"]}]}""", "messages[0].images")]
    [InlineData("/api/generate", """{"model":"m"}""", "prompt")]
    [InlineData("/api/embed", """{"model":"m","input":[]}""", "input")]
    public void A_missing_or_invalid_parameter_is_named(string path, string body, string param) =>
        Assert.Equal((400, param), Translation.Of("ollama", body, path) is var rejected ? (rejected.Status, rejected.Param) : default);

    [Theory]
    [InlineData("/api/chat", Chat)]
    [InlineData("/api/generate", """{"model":"m","prompt":"x"}""")]
    [InlineData("/api/embed", """{"model":"m","input":"x"}""")]
    [InlineData("/api/show", """{"model":"m"}""")]
    public void VLLM_has_none_of_these_endpoints(string path, string body) => Assert.Equal((404, "unknown_url", null), Translation.Of("vllm", body, path).Error);

    [Theory]
    [InlineData("")]
    [InlineData(",\"arguments\":\"\"")]
    [InlineData(",\"arguments\":null")]
    [InlineData(",\"arguments\":{}")]
    public void A_tool_call_without_arguments_is_sent_with_an_empty_object(string none) => Assert.Equal("{}", Translation.SentTo(
        "ollama", $$"""{"model":"m","stream":false,"messages":[{"role":"assistant","content":"","tool_calls":[{"function":{"name":"f"{{none}} } }]},{"role":"user","content":"b"}]}""", "/api/chat")
        .GetProperty("messages")[0].GetProperty("tool_calls")[0].GetProperty("function").GetProperty("arguments").GetRawText());
}
