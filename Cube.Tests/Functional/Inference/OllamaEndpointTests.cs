using System.Text.Json;
using Cube.Tests.Systems;

namespace Cube.Tests.Functional.Inference;

/// <summary>The endpoints of the Ollama API, with the same checks as the OpenAI endpoints.</summary>
[Collection(ReplayCollectionDefinition.Name)]
public sealed class OllamaEndpointTests(ReplaySystem system)
{
    private const string Chat = """{"model":"m","messages":[{"role":"user","content":"hi"}]}""";

    private Task<ClientResponse> AskAsync(string path, string body, string kind = "ollama") => ClientResponse.AskAsync(system[kind].Cube, system[kind].Tenant, path, body);

    public static TheoryData<string> Recordings => [.. Recording.All.Where(static recording =>
        recording is { Method: "POST", Body: not null, Path: "/api/chat" or "/api/generate" or "/api/embed" or "/api/embeddings" or "/api/show" }).Select(static recording => recording.Id)];

    [Theory(SkipTestWithoutData = true)]
    [MemberData(nameof(Recordings))]
    public async Task A_recorded_Ollama_response_is_identical_for_every_split(string id)
    {
        var recording = Recording.Find(id);
        string? text = null;
        foreach (var split in Enum.GetValues<Split>())
        {
            system["ollama"].Server.Play(recording, split);
            var answer = await AskAsync(recording.Path, recording.Body!);
            Assert.True(text is null || answer.IsBroken || text == answer.Text, $"{split}: {answer.Text}");
            text = answer.Text;
            if (answer.Status == 200 && !answer.IsBroken)
            {
                var last = answer.Text.Split('\n', StringSplitOptions.RemoveEmptyEntries)[^1];
                Assert.True(recording.Path is "/api/embed" or "/api/embeddings" or "/api/show" || JsonElement.Parse(last).GetProperty("done").GetBoolean(), answer.Text);
                Assert.True(recording.Path is "/api/embeddings" or "/api/show" || JsonElement.Parse(last).GetProperty("model").ValueEquals(recording.Model), answer.Text);
            }
        }
    }

    [Fact]
    public async Task A_model_crash_during_a_stream_sends_an_error_line_and_aborts()
    {
        system["ollama"].Server.Play(Recording.Find("ollama-0.17.4/faults/fault-runner-killed-native"));
        var answer = await AskAsync("/api/chat", Chat);
        Assert.True(answer.IsBroken);
        Assert.Equal("""{"error":"The model server returned no valid response."}""", answer.Text.Split('\n', StringSplitOptions.RemoveEmptyEntries)[^1]);
    }

    [Fact]
    public async Task Options_that_control_the_server_are_not_forwarded()
    {
        system["ollama"].Server.Play(Recording.Find("ollama-0.17.4/default/native-chat-whole"));
        var answer = await AskAsync("/api/chat", Chat[..^1] + ""","stream":false,"keep_alive":-1,"template":"x","options":{"temperature":0.50,"num_ctx":999999,"num_gpu":9,"num_predict":5}}""");
        Assert.Equal((200, "template"), (answer.Status, answer.Headers.GetValues("x-cube-ignored").Single()));
        var sent = JsonElement.Parse(system["ollama"].Server.Requests.Last().Body);
        Assert.Equal(["messages", "model", "options", "stream"], sent.EnumerateObject().Select(static member => member.Name).Order(StringComparer.Ordinal));
        Assert.Equal("""{"temperature":0.50,"num_predict":5}""", sent.GetProperty("options").GetRawText());
    }

    [Theory]
    [InlineData("/api/chat", """{"model":"m"}""", "messages")]
    [InlineData("/api/chat", """{"model":"m","messages":[]}""", "messages")]
    public async Task A_missing_or_invalid_parameter_is_named(string path, string body, string param)
    {
        var answer = await AskAsync(path, body);
        Assert.Equal((400, param), (answer.Status, answer.Param));
        Assert.Equal((404, "unknown_url"), await AskAsync("/api/chat", Chat, "vllm") is var other ? (other.Status, other.Code) : default);
    }

    [Theory]
    [InlineData("POST", "/api/push")]
    [InlineData("POST", "/api/me")]
    [InlineData("POST", "/api/signout")]
    [InlineData("POST", "/api/experimental/web_search")]
    [InlineData("GET", "/api/blobs/sha256:00")]
    [Trait("Conformance", "TN-04")]
    public async Task Endpoints_that_contact_other_machines_are_answered_with_404(string method, string path)
    {
        var (cube, server, tenant) = system["ollama"];
        var before = server.Requests.Count;
        var (status, _) = await cube.SendAsync(new HttpMethod(method), $"/proxy/{tenant.Domain}{path}", tenant.Token, new { model = "m" });
        Assert.Equal((404, before), (status, server.Requests.Count));
    }

    [Fact]
    public async Task The_model_list_and_the_version_have_the_Ollama_format()
    {
        var (cube, server, tenant) = system["ollama"];
        server.PlayJson(200, """{"models":[{"name":"m","model":"m","size":5,"digest":"x","secret":"y"},{"name":"not-in-the-catalogue","model":"z"}]}""");
        var (status, body) = await cube.SendAsync(HttpMethod.Get, $"/proxy/{tenant.Domain}/api/tags", tenant.Token);
        Assert.Equal((200, """{"models":[{"name":"m","model":"m","size":5,"digest":"x"}]}"""), (status, body.GetRawText()));
        server.PlayJson(200, """{"version":"0.17.4"}""");
        (status, body) = await cube.SendAsync(HttpMethod.Get, $"/proxy/{tenant.Domain}/api/version", tenant.Token);
        Assert.Equal((200, """{"version":"0.17.4"}"""), (status, body.GetRawText()));
        Assert.Equal(404, (await system["vllm"].Cube.SendAsync(HttpMethod.Get, $"/proxy/{system["vllm"].Tenant.Domain}/api/tags", system["vllm"].Tenant.Token)).Status);
    }

    [Theory]
    [InlineData("/api/tags", """{"models":[{"name":"m","size":{"secret":1},"digest":"x"},{"name":"m","digest":"y"},7,null]}""", """{"models":[{"name":"m","model":"m","digest":"x"}]}""")]
    [InlineData("/api/tags", """{"models":{"secret":1}}""", """{"models":[]}""")]
    [InlineData("/api/ps", """{"models":7}""", """{"models":[]}""")]
    [InlineData("/api/version", """{"version":{"secret":1}}""", """{"version":null}""")]
    public async Task A_malformed_list_is_answered_without_its_unknown_values(string path, string said, string expected)
    {
        var (cube, server, tenant) = system["ollama"];
        server.PlayJson(200, said);
        var (status, body) = await cube.SendAsync(HttpMethod.Get, $"/proxy/{tenant.Domain}{path}", tenant.Token);
        Assert.Equal((200, expected), (status, body.GetRawText()));
    }

    [Fact]
    public async Task Model_details_reveal_neither_paths_nor_system_prompts()
    {
        system["ollama"].Server.Play(Recording.Find("ollama-0.17.4/default/native-show"));
        var answer = await AskAsync("/api/show", """{"model":"smollm2:135m"}""");
        Assert.Equal(["parameters", "template", "details", "model_info", "capabilities", "modified_at"], answer.Json.EnumerateObject().Select(static member => member.Name));
        Assert.Equal(("", "gguf"), (answer.Json.GetProperty("details").GetProperty("parent_model").GetString(), answer.Json.GetProperty("details").GetProperty("format").GetString()));
        Assert.DoesNotContain("/blobs/", answer.Text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Running_models_are_listed_without_their_last_use()
    {
        var (cube, server, tenant) = system["ollama"];
        server.Play(Recording.Find("ollama-0.17.4/default/native-ps"));
        var (status, body) = await cube.SendAsync(HttpMethod.Get, $"/proxy/{tenant.Domain}/api/ps", tenant.Token);
        Assert.Equal(200, status);
        var model = Assert.Single(body.GetProperty("models").EnumerateArray());
        Assert.Equal(["name", "model", "size", "digest", "size_vram", "context_length", "details"], model.EnumerateObject().Select(static member => member.Name));
    }
}
