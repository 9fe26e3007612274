using System.Net.Http.Headers;
using System.Text;
using Cube.Tests.Inference.Chat;
using Cube.Tests.Systems;

namespace Cube.Tests.Functional.Inference;

/// <summary>Valid and harmless requests through the running system.</summary>
[Collection(ReplayCollectionDefinition.Name)]
public sealed class ToleranceTests(ReplaySystem system)
{
    [Theory]
    [InlineData("identity", 200)]
    [InlineData("Identity", 200)]
    [InlineData("identity, identity", 200)]
    [InlineData("gzip", 415)]
    [InlineData("identity, gzip", 415)]
    public async Task Content_encoding_identity_is_accepted_and_compression_is_rejected(string coding, int status)
    {
        var (cube, server, tenant) = system["vllm"];
        server.PlayJson(200, FakeBackend.Chat);
        using var content = new StringContent(ChatRequests.With("\"n\":1"), Encoding.UTF8, new MediaTypeHeaderValue("application/json"));
        content.Headers.TryAddWithoutValidation("Content-Encoding", coding);
        using var response = await cube.SendRawAsync(HttpMethod.Post, $"{tenant.Api}/chat/completions", tenant.Token, content);
        Assert.Equal(status, (int)response.StatusCode);
    }

    [Fact]
    public async Task At_most_sixteen_ignored_names_are_reported()
    {
        system["vllm"].Server.PlayJson(200, FakeBackend.Chat);
        var answer = await ClientResponse.AskAsync(
            system["vllm"].Cube, system["vllm"].Tenant, "chat/completions", ChatRequests.With(string.Join(',', Enumerable.Range(0, 5000).Select(static i => $"\"u{i}\":1"))));
        Assert.Equal((200, 16), (answer.Status, answer.Headers.GetValues("x-cube-ignored").Single().Split(", ").Length));
    }

    public static MatrixTheoryData<int, string> Deepest { get; } = new(
        Enumerable.Range(244, 12),
        [
            """chat/completions {"model":"m","messages":[{"role":"user","content":"hi"}],"response_format":{"type":"json_schema","json_schema":{"name":"n","schema":@}}}""",
            """chat/completions {"model":"m","messages":[{"role":"user","content":"hi"}],"tools":[{"type":"function","function":{"name":"f","parameters":@}}]}""",
            """responses {"model":"m","input":"hi","tools":[{"type":"function","name":"f","parameters":@}]}""",
            """responses {"model":"m","input":"hi","text":{"format":{"type":"json_schema","name":"n","schema":@}}}""",
        ]);

    [Theory]
    [MemberData(nameof(Deepest))]
    public async Task A_schema_near_the_depth_limit_never_causes_a_500(int levels, string request)
    {
        var (path, body) = (request[..request.IndexOf(' ', StringComparison.Ordinal)], request[(request.IndexOf(' ', StringComparison.Ordinal) + 1)..]);
        var schema = string.Concat(Enumerable.Repeat("{\"items\":", levels)) + "{}" + new string('}', levels);
        var (cube, server, tenant) = system["vllm"];
        server.PlayJson(200, FakeBackend.Chat);
        using var content = new StringContent(body.Replace("@", schema, StringComparison.Ordinal), Encoding.UTF8, new MediaTypeHeaderValue("application/json"));
        using var response = await cube.SendRawAsync(HttpMethod.Post, $"{tenant.Api}/{path}", tenant.Token, content);
        Assert.Contains((int)response.StatusCode, (int[])[200, 400]);
    }
}
