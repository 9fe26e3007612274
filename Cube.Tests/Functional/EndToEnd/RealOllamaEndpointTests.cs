using System.ClientModel;
using System.Net;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;
using Cube.AppHost.Settings;
using Cube.Tests.Inference.Ollama;
using Cube.Tests.Systems;
using OpenAI.Responses;

namespace Cube.Tests.Functional.EndToEnd;

/// <summary>Response formats, further endpoints and HTTP/2 with the real Ollama.</summary>
[Collection(OllamaCollectionDefinition.Name)]
public sealed class RealOllamaEndpointTests(OllamaSystem system)
{
    private const string Model = OllamaServer.Model;
    private readonly CubeSystem _cube = system.Cube;

    private async Task<ClientResponse> AskAsync(string body, string path = "chat/completions") => await ClientResponse.AskAsync(_cube, await _cube.CreateTenantAsync(), path, body);

    private static string Chat(string more, string prompt = "Say hello to Ada.") =>
        $$"""{"model":"{{Model}}","messages":[{"role":"user","content":"{{prompt}}"}],"temperature":0{{(more.Length > 0 ? "," : "")}}{{more}}}""";

    [FullFact]
    [Trait("Conformance", "SO-02")]
    public async Task A_JSON_object_response_is_an_object()
    {
        var answer = await AskAsync(Chat("\"max_tokens\":120,\"response_format\":{\"type\":\"json_object\"}", "Give me a small JSON object with one member."));
        Assert.Equal(200, answer.Status);
        var choice = answer.Json.GetProperty("choices")[0];
        if (choice.GetProperty("finish_reason").ValueEquals("stop"))
        {
            Assert.Equal(JsonValueKind.Object, JsonElement.Parse(choice.GetProperty("message").GetProperty("content").GetString()!).ValueKind);
        }
    }

    [FullFact]
    [Trait("Conformance", "SO-04")]
    public async Task A_recursive_or_large_schema_never_causes_a_500()
    {
        const string Recursive = """{"type":"object","properties":{"child":{"$ref":"#"},"name":{"type":"string"}},"required":["name"]}""";
        string[] schemas =
        [
            Recursive, OllamaSchemaTests.Properties(150), OllamaSchemaTests.Properties(400, isRequired: true), OllamaSchemaTests.Properties(4_900), OllamaSchemaTests.Properties(6_500),
            .. OllamaSchemaTests.Patterns.Concat(OllamaSchemaTests.DeadlyPatterns).Select(OllamaSchemaTests.Pattern),
        ];
        var tenant = await _cube.CreateTenantAsync();
        foreach (var schema in schemas)
        {
            var answer = await ClientResponse.AskAsync(_cube, tenant, "chat/completions", Chat($"\"max_tokens\":3,\"response_format\":{{\"type\":\"json_schema\",\"json_schema\":{{\"name\":\"x\",\"schema\":{schema}}}}}"));
            Assert.True(answer.Status == 200 || (answer.Status == 400 && answer.Param!.StartsWith("response_format", StringComparison.Ordinal)), $"{answer.Text} for {schema[..Math.Min(200, schema.Length)]}");
        }
    }

    [FullFact]
    [Trait("Conformance", "ST-16"), Trait("Conformance", "EM-06")]
    public async Task An_unknown_model_is_a_JSON_404_also_for_streams()
    {
        foreach (var (path, body) in ((string, string)[])[("chat/completions", """{"model":"x","stream":true,"messages":[{"role":"user","content":"hi"}]}"""), ("completions", """{"model":"x","stream":true,"prompt":"hi"}"""), ("responses", """{"model":"x","stream":true,"input":"hi"}"""), ("embeddings", """{"model":"x","input":"hi"}""")])
        {
            var answer = await AskAsync(body, path);
            Assert.Equal((404, "application/json", "model_not_found"), (answer.Status, answer.Type, answer.Code));
        }
    }

    [FullFact]
    [Trait("Conformance", "EM-05")]
    public async Task Dimensions_are_applied_or_rejected()
    {
        var answer = await AskAsync($$"""{"model":"{{Model}}","input":"a","dimensions":64}""", "embeddings");
        Assert.True(answer.Status == 400 ? answer.Param == "dimensions" : answer.Json.GetProperty("data")[0].GetProperty("embedding").GetArrayLength() == 64, answer.Text);
    }

    [FullFact]
    [Trait("Conformance", "HP-15")]
    public async Task A_response_has_the_text_of_the_same_chat()
    {
        var chat = (await AskAsync(Chat("\"max_tokens\":12"))).Json.GetProperty("choices")[0].GetProperty("message").GetProperty("content").GetString();
        var whole = (await AskAsync($$"""{"model":"{{Model}}","input":"Say hello to Ada.","temperature":0,"max_output_tokens":12}""", "responses")).Json;
        Assert.Equal(chat, whole.GetProperty("output")[0].GetProperty("content")[0].GetProperty("text").GetString());
        Assert.True(whole.GetProperty("usage").GetProperty("output_tokens").GetInt32() is > 0 and <= 12);
        Assert.Equal(chat, (await AskAsync($$"""{"model":"{{Model}}","input":"Say hello to Ada.","temperature":0,"max_output_tokens":12,"stream":true}""", "responses")).ResponseText);

        var tenant = await _cube.CreateTenantAsync();
#pragma warning disable OPENAI001 // The SDK marks this API as experimental, but applications use it.
        var client = _cube.CreateSdkClient(tenant).GetResponsesClient();
        var options = new CreateResponseOptions { Model = Model, MaxOutputTokenCount = 12 };
        options.InputItems.Add(ResponseItem.CreateUserMessageItem("Say hello to Ada."));
        var answer = (await client.CreateResponseAsync(options)).Value;
        Assert.NotEmpty(answer.GetOutputText());
        var text = new StringBuilder();
        options.StreamingEnabled = true;
        await foreach (var update in await client.CreateResponseStreamingAsync(options))
        {
            text.Append((update as StreamingResponseOutputTextDeltaUpdate)?.Delta);
        }

#pragma warning restore OPENAI001

        Assert.NotEmpty(text.ToString());
        Assert.Equal(404, (await Assert.ThrowsAsync<ClientResultException>(() => client.CreateResponseAsync("no-such-model", "hi"))).Status);
    }

    [FullTheory]
    [InlineData("responses", "input")]
    [InlineData("completions", "prompt")]
    [InlineData("embeddings", "input")]
    [Trait("Conformance", "ER-11")]
    public async Task Input_beyond_the_context_is_rejected_and_other_input_is_not_truncated(string path, string param)
    {
        foreach (var (words, status) in ((int, int)[])[(20_000, 400), (path == "embeddings" ? 60 : 450, 200)])
        {
            var answer = await AskAsync($$"""{"model":"{{Model}}",{{(path == "responses" ? "\"max_output_tokens\":3," : path == "completions" ? "\"max_tokens\":3," : "")}}"{{param}}":"{{string.Concat(Enumerable.Repeat("word ", words))}}"}""", path);
            Assert.Equal((status, status == 400 ? "context_length_exceeded" : null, status == 400 ? param : null), (answer.Status, answer.Code, answer.Param));
            Assert.True(status == 400 || answer.Json.GetProperty("usage").GetProperty(path == "responses" ? "input_tokens" : "prompt_tokens").GetInt32() > words, answer.Text);
        }
    }

    [FullFact]
    [Trait("Conformance", "ST-19")]
    public async Task An_HTTP_2_client_receives_the_same_events()
    {
        var (tenant, plain, second) = (await _cube.CreateTenantAsync(), Ports.Free(), Ports.Free());
        await _cube.StartProxyAtAsync(
            new Uri($"http://127.0.0.1:{plain}"),
            new("Kestrel__Endpoints__plain__Url", $"http://127.0.0.1:{plain}"), new("Kestrel__Endpoints__second__Url", $"http://127.0.0.1:{second}"), new("Kestrel__Endpoints__second__Protocols", "Http2"));
        using var http = new HttpClient(new SocketsHttpHandler()) { BaseAddress = new Uri($"http://127.0.0.1:{second}"), DefaultRequestVersion = HttpVersion.Version20, DefaultVersionPolicy = HttpVersionPolicy.RequestVersionExact };
        var body = Chat("\"max_tokens\":12,\"stream\":true");
        var expected = await ClientResponse.AskAsync(_cube, tenant, "chat/completions", body);
        Assert.Equal(expected.StableText, (await ClientResponse.AskAsync(_cube, tenant, "chat/completions", body, http: http)).StableText);
        using var request = new HttpRequestMessage(HttpMethod.Get, $"{tenant.Api}/models") { Version = HttpVersion.Version20, VersionPolicy = HttpVersionPolicy.RequestVersionExact, Headers = { Authorization = new AuthenticationHeaderValue("Bearer", tenant.Token) } };
        using var response = await http.SendAsync(request);
        Assert.Equal((HttpVersion.Version20, HttpStatusCode.OK), (response.Version, response.StatusCode));
    }
}
