using System.Text.Json;
using Cube.Agent.Guide;
using Cube.Tests.Systems;

namespace Cube.Tests.Functional.Agent;

[Collection(GuideCollectionDefinition.Name)]
public sealed class GuideRequestTests(GuideSystem system)
{
    private readonly CubeSystem _cube = system.Cube;

    [Theory]
    [InlineData("{", 400, "invalid_json", null)]
    [InlineData("[]", 400, "invalid_json", null)]
    [InlineData("""{"messages":[]}""", 400, "missing_required_parameter", "model")]
    [InlineData("""{"model":"cube-guide"}""", 400, "missing_required_parameter", "messages")]
    [InlineData("""{"model":"cube-guide","messages":[]}""", 400, "invalid_value", "messages")]
    [InlineData("""{"model":"cube-guide","messages":[{"content":"x"}]}""", 400, "missing_required_parameter", "messages[0].role")]
    [InlineData("""{"model":"cube-guide","messages":[{"role":"user","content":[{"type":"image_url"}]}]}""", 400, "missing_required_parameter", "messages[0].content[0].image_url")]
    [InlineData("""{"model":"cube-guide","max_tokens":0,"messages":[{"role":"user","content":"x"}]}""", 400, "invalid_value", "max_tokens")]
    [InlineData("""{"model":"cube-guide","n":2,"messages":[{"role":"user","content":"x"}]}""", 400, "unsupported_value", "n")]
    [InlineData("""{"model":"cube-guide","stop":["1","2","3","4","5"],"messages":[{"role":"user","content":"x"}]}""", 400, "invalid_value", "stop")]
    [InlineData("""{"model":"gpt-4","messages":[{"role":"user","content":"x"}]}""", 404, "model_not_found", "model")]
    public async Task An_unsupported_parameter_is_rejected_by_name(string body, int expected, string code, string? param)
    {
        var tenant = await _cube.CreateTenantAsync();
        using var content = new StringContent(body, new System.Net.Http.Headers.MediaTypeHeaderValue("application/json"));
        var (status, answer) = await _cube.SendAsync(HttpMethod.Post, $"{tenant.Api}/chat/completions", tenant.Token, content);
        Assert.Equal(expected, status);
        Assert.Equal(code, answer.GetProperty("error").GetProperty("code").GetString());
        Assert.Equal(param, answer.GetProperty("error").GetProperty("param").GetString());
    }

    [Theory]
    [InlineData("""{"max_tokens":3}""", 3, "length")]
    [InlineData("""{"max_tokens":50,"max_completion_tokens":4}""", 4, "length")]
    [InlineData("""{"stop":", not"}""", 5, "stop")]
    public async Task Limits_and_stop_sequences_shorten_the_response_and_usage_counts_the_rest(string options, int tokens, string finish)
    {
        var tenant = await _cube.CreateTenantAsync();
        var request = System.Text.Json.Nodes.JsonNode.Parse(options)!.AsObject();
        request["model"] = "cube-guide";
        request["messages"] = new System.Text.Json.Nodes.JsonArray(new System.Text.Json.Nodes.JsonObject { ["role"] = "user", ["content"] = "What is Cube?" });
        var (status, answer) = await _cube.SendAsync(HttpMethod.Post, $"{tenant.Api}/chat/completions", tenant.Token, request);
        Assert.Equal(200, status);
        var choice = answer.GetProperty("choices")[0];
        Assert.Equal(finish, choice.GetProperty("finish_reason").GetString());
        Assert.Equal(tokens, answer.GetProperty("usage").GetProperty("completion_tokens").GetInt32());
        Assert.Equal(tokens, GuideModel.CountTokens(choice.GetProperty("message").GetProperty("content").GetString()!));
    }
}
