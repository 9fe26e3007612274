namespace Cube.Tests.Inference.Vllm;

/// <summary>The translation of the endpoints that only vLLM has.</summary>
public sealed class UtilityRequestTests
{
    [Theory]
    [InlineData("/tokenize", """{"model":"m","prompt":"x"}""")]
    [InlineData("/detokenize", """{"model":"m","tokens":[1]}""")]
    [InlineData("/pooling", """{"model":"m","input":"x"}""")]
    [InlineData("/classify", """{"model":"m","input":"x"}""")]
    [InlineData("/v1/score", """{"model":"m","text_1":"x","text_2":"y"}""")]
    [InlineData("/v1/rerank", """{"model":"m","query":"x","documents":["y"]}""")]
    public void Ollama_has_none_of_these_endpoints(string path, string body)
    {
        Assert.Equal((404, "unknown_url", null), Translation.Of("ollama", body, path).Error);
        Assert.Equal(200, Translation.Of("vllm", body, path).Status);
    }

    [Theory]
    [InlineData("/tokenize", """{"model":"m"}""", "prompt")]
    [InlineData("/tokenize", """{"model":"m","prompt":5}""", "prompt")]
    [InlineData("/detokenize", """{"model":"m","tokens":["x"]}""", "tokens")]
    [InlineData("/pooling", """{"model":"m","input":[]}""", "input")]
    [InlineData("/classify", """{"model":"m","input":[1]}""", "input")]
    [InlineData("/v1/score", """{"model":"m","text_1":"x"}""", "text_2")]
    [InlineData("/v1/rerank", """{"model":"m","query":"x","documents":["y"],"top_n":0}""", "top_n")]
    public void A_missing_or_invalid_parameter_is_named(string path, string body, string param) =>
        Assert.Equal((400, param), Translation.Of("vllm", body, path) is var rejected ? (rejected.Status, rejected.Param) : default);
}
