using Cube.Tests.Systems;

namespace Cube.Tests.Functional.Inference;

/// <summary>The endpoints that only vLLM has, with recorded responses.</summary>
[Collection(ReplayCollectionDefinition.Name)]
public sealed class VllmEndpointTests(ReplaySystem system)
{
    [Theory]
    [InlineData("default/tokenize", "/tokenize", """{"count":2,"max_model_len":2048,"tokens":[19556,905]}""")]
    [InlineData("default/tokenize-chat", "/tokenize", null)]
    [InlineData("pooling/score", "/v1/score", """{"id":"","object":"list","created":0,"model":"smollm2","data":[{"index":0,"object":"score","score":0.9990171194076538}],"usage":{"prompt_tokens":2,"total_tokens":2}}""")]
    [InlineData("pooling/rerank", "/v1/rerank", """{"id":"","model":"smollm2","results":[{"index":0,"document":{"text":"b","multi_modal":null},"relevance_score":0.9990171194076538},{"index":1,"document":{"text":"c","multi_modal":null},"relevance_score":0.9904893040657043}],"usage":{"prompt_tokens":3,"total_tokens":3}}""")]
    public async Task A_vLLM_response_contains_only_known_members(string recording, string path, string? expected)
    {
        var found = Recording.Find($"vllm-0.32.0/{recording}");
        var (cube, server, tenant) = system["vllm"];
        server.Play(found);
        var answer = await ClientResponse.AskAsync(cube, tenant, path, found.Body!);
        Assert.True(answer.Status == 200, answer.Text);
        if (expected is not null)
        {
            Assert.Equal(Plain(expected), Plain(answer.Text));
        }

        Assert.DoesNotContain("cache_salt", server.Requests.Last().Body, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("/tokenize", """{"model":"m","prompt":"x"}""")]
    [InlineData("/detokenize", """{"model":"m","tokens":[1]}""")]
    public async Task An_Ollama_backend_has_none_of_these_endpoints(string path, string body)
    {
        var (cube, server, tenant) = system["ollama"];
        var before = server.Requests.Count;
        var answer = await ClientResponse.AskAsync(cube, tenant, path, body);
        Assert.Equal((404, "unknown_url"), (answer.Status, answer.Code));
        Assert.Equal(before, server.Requests.Count);
    }

    [Theory]
    [InlineData("/tokenize", """{"model":"m"}""", "prompt")]
    public async Task A_missing_or_invalid_parameter_is_named(string path, string body, string param)
    {
        var (cube, _, tenant) = system["vllm"];
        var answer = await ClientResponse.AskAsync(cube, tenant, path, body);
        Assert.Equal((400, param), (answer.Status, answer.Param));
    }

    private static string Plain(string text) => System.Text.RegularExpressions.Regex.Replace(System.Text.RegularExpressions.Regex.Replace(text, "\"id\":\"[^\"]*\"", "\"id\":\"\""), "\"created\":[0-9]+", "\"created\":0");
}
