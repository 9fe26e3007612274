using Cube.Tests.Systems;

namespace Cube.Tests.Functional.EndToEnd;

/// <summary>Requests that the OpenAI API allows and that Ollama rejects without the translation of the proxy.</summary>
[Collection(OllamaCollectionDefinition.Name)]
public sealed class RealOllamaHistoryTests(OllamaSystem system)
{
    private const string Model = OllamaServer.Model;

    private async Task<ClientResponse> AskAsync(string body, string path = "chat/completions") =>
        await ClientResponse.AskAsync(system.Cube, await system.Cube.CreateTenantAsync(), path, body.Replace("@", Model, StringComparison.Ordinal));

    [Theory]
    [InlineData("\"\"")]
    [InlineData("null")]
    [InlineData("\"{}\"")]
    public async Task A_history_with_a_tool_call_without_arguments_is_answered(string arguments)
    {
        Assert.Equal(200, (await AskAsync($$"""{"model":"@","max_tokens":3,"messages":[{"role":"user","content":"time?"},{"role":"assistant","content":null,"tool_calls":[{"id":"c","type":"function","function":{"name":"f","arguments":{{arguments}} } }]},{"role":"tool","tool_call_id":"c","content":"12:00"}]}""")).Status);
        Assert.Equal(200, (await AskAsync($$"""{"model":"@","max_output_tokens":3,"input":[{"role":"user","content":"time?"},{"type":"function_call","call_id":"c","name":"f","arguments":{{arguments}} },{"type":"function_call_output","call_id":"c","output":"12:00"}]}""", "responses")).Status);
    }

    [Fact]
    public async Task Boolean_schemas_are_accepted()
    {
        const string Schema = """{"type":"object","properties":{"a":true,"b":{"anyOf":[true]},"c":{"type":"array","items":true}}}""";
        Assert.Equal(200, (await AskAsync($$"""{"model":"@","max_tokens":3,"messages":[{"role":"user","content":"hi"}],"response_format":{"type":"json_schema","json_schema":{"name":"n","schema":{{Schema}} } } }""")).Status);
        Assert.Equal(200, (await AskAsync($$"""{"model":"@","stream":false,"options":{"num_predict":3},"messages":[{"role":"user","content":"hi"}],"format":{{Schema}} }""", "/api/chat")).Status);
    }

    [Theory]
    [InlineData("\"logit_bias\":{}", 200)]
    [InlineData("\"top_p\":0", 200)]
    [InlineData("\"reasoning_effort\":\"none\"", 200)]
    public async Task A_member_with_a_default_or_harmless_value_is_accepted(string member, int status) =>
        Assert.Equal(status, (await AskAsync($$"""{"model":"@","max_tokens":3,"messages":[{"role":"user","content":"hi"}],{{member}} }""")).Status);
}
