using System.Text.Json;
using Cube.Agent.Guide;
using Cube.Tests.Systems;

namespace Cube.Tests.Functional.Agent;

public sealed class GuideModelTests
{
    private static readonly GuideModel Model = new(
    [
        new Passage("a.md", "Ports", "The proxy listens on port 8080 and the agent on port 7001."),
        new Passage("b.md", "Roles", "A domain has the roles admin and member."),
    ]);

    [Theory]
    [InlineData("Which port has the proxy?", "8080")]
    [InlineData("what ROLES are there", "admin and member")]
    public void The_guide_answers_with_the_best_passage(string question, string expected) =>
        Assert.Contains(expected, Model.Answer(question), StringComparison.Ordinal);

    [Theory]
    [InlineData("")]
    [InlineData("quantum chromodynamics")]
    [InlineData("💥🧨")]
    public void The_guide_states_what_it_is_and_when_it_finds_nothing(string question)
    {
        var answer = Model.Answer(question);
        Assert.StartsWith("I am cube-guide, not a language model", answer, StringComparison.Ordinal);
        Assert.Contains("I found nothing", answer, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("Hello, world!")]
    [InlineData("  spaces \n\n and\tlines  ")]
    [InlineData("naïve 👩‍👩‍👧 日本語 x")]
    [InlineData("")]
    public void The_tokens_concatenate_to_the_text(string text)
    {
        var tokens = GuideModel.Tokenize(text).ToList();
        Assert.Equal(text, string.Concat(tokens));
        Assert.Equal(tokens.Count, GuideModel.CountTokens(text));
        Assert.DoesNotContain(tokens, static token => char.IsHighSurrogate(token[^1]));
    }

    [Fact]
    public void Markdown_is_split_at_headings_without_code()
    {
        var passages = DocumentationIndex.Cut("x.md", "# One\nfirst **bold**\n```\n# not a heading\ncode\n```\n## Two\n| a | b |\nsecond `name`\n").ToList();
        Assert.Equal(["One", "Two"], passages.Select(static passage => passage.Heading));
        Assert.Equal(["first bold", "second name"], passages.Select(static passage => passage.Text));
    }

    [Fact]
    public void The_guide_contains_the_documentation() => Assert.Contains(DocumentationIndex.Load(), static passage => passage.Document == "README.md");
}

[Collection(GuideCollection.Name)]
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
