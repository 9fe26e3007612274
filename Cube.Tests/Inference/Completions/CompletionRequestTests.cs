namespace Cube.Tests.Inference.Completions;

/// <summary>The translation of <c>POST /v1/completions</c>.</summary>
public sealed class CompletionRequestTests
{
    private static string Body(string prompt) => $$"""{"model":"m","prompt":{{prompt}}}""";

    [Theory]
    [InlineData("[1,2,3]")]
    [InlineData("[[1,2,3]]")]
    [InlineData("[\"a\"]")]
    public void Tokens_and_a_list_of_one_prompt_are_sent_to_vLLM(string prompt) =>
        Assert.Equal(prompt, Translation.SentTo("vllm", Body(prompt), "completions").GetProperty("prompt").GetRawText());

    [Fact]
    public void Tokens_are_rejected_for_Ollama() => Assert.Equal((400, "prompt"), Translation.Of("ollama", Body("[[1,2,3]]"), "completions") is var rejected ? (rejected.Status, rejected.Param) : default);

    [Theory]
    [InlineData("[[]]", "prompt[0]")]
    [InlineData("[[1,\"a\"]]", "prompt[0][1]")]
    [InlineData("[[1.5]]", "prompt[0][0]")]
    [InlineData("[1,-1]", "prompt[1]")]
    public void An_invalid_token_is_rejected_by_parameter(string prompt, string param) =>
        Assert.Equal((400, param), Translation.Of("vllm", Body(prompt), "completions") is var rejected ? (rejected.Status, rejected.Param) : default);
}
