namespace Cube.Tests.Inference.Embeddings;

/// <summary>The translation of <c>POST /v1/embeddings</c>.</summary>
public sealed class EmbeddingRequestTests
{
    public static MatrixTheoryData<string, (string Body, string Code, string Param)> Rejected { get; } = new(
        ["ollama", "vllm"],
        [
            ("""{"model":"m","input":[]}""", "invalid_value", "input"),
            ("""{"model":"m","input":""}""", "invalid_value", "input"),
            ("""{"model":"m","input":["a",""]}""", "invalid_value", "input"),
            ("""{"model":"m","input":["a",1]}""", "invalid_value", "input"),
            ("""{"model":"m"}""", "missing_required_parameter", "input"),
            ("""{"model":"m","input":"a","encoding_format":"hex"}""", "invalid_value", "encoding_format"),
            ("""{"model":"m","input":"a","dimensions":0}""", "invalid_value", "dimensions"),
        ]);

    [Theory]
    [MemberData(nameof(Rejected))]
    [Trait("Conformance", "EM-04")]
    public void An_invalid_request_is_a_400_that_names_the_parameter(string kind, (string Body, string Code, string Param) rejected) =>
        Assert.Equal((400, rejected.Code, rejected.Param), Translation.Of(kind, rejected.Body, "embeddings").Error);

    [Fact]
    [Trait("Conformance", "EM-03")]
    public void Tokens_are_for_vLLM_alone()
    {
        const string Body = """{"model":"m","input":[1,2,3]}""";
        Assert.Equal((400, "unsupported_value", "input"), Translation.Of("ollama", Body, "embeddings").Error);
        Assert.Equal("[1,2,3]", Translation.SentTo("vllm", Body, "embeddings").GetProperty("input").GetRawText());
    }

    /// <summary>Members that only other endpoints know are not checked.</summary>
    [Theory]
    [InlineData("/v1/embeddings", """{"model":"m","input":"a","n":"x","stream":5,"stream_options":"x","tool_choice":{},"parallel_tool_calls":[]}""")]
    [InlineData("/v1/completions", """{"model":"m","prompt":"a","tool_choice":{"type":"function"},"tools":5,"messages":1}""")]
    [InlineData("/tokenize", """{"model":"m","prompt":"a","n":{},"stream_options":[],"tool_choice":{}}""")]
    public void Members_of_other_endpoints_are_ignored(string path, string body) => Assert.Equal(200, Translation.Of("vllm", body, path).Status);
}
