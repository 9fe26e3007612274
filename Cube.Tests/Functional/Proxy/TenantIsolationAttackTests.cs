using System.Net.Sockets;
using System.Text;
using System.Text.RegularExpressions;
using Cube.Tests.Systems;
using Microsoft.AspNetCore.Http;

namespace Cube.Tests.Functional.Proxy;

/// <summary>Attacks on tenant isolation: ambiguous framing, paths that control a model server, concurrent streams.</summary>
[Collection(FakeBackendCollectionDefinition.Name)]
public sealed partial class TenantIsolationAttackTests(FakeBackendSystem system)
{
    private const string Body = """{"model":"m","messages":[{"role":"user","content":"hi"}]}""";

    private readonly CubeSystem _cube = system.Reset();

    [Theory]
    [InlineData("length and chunks", "Content-Length: 27\r\nTransfer-Encoding: chunked\r\n\r\n1b\r\n" + Body + "\r\n0\r\n\r\n")]
    [InlineData("chunks and length", "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n1b\r\n" + Body + "\r\n0\r\n\r\n")]
    [InlineData("two lengths", "Content-Length: 27\r\nContent-Length: 5\r\n\r\n" + Body)]
    [InlineData("a list of lengths", "Content-Length: 27, 27\r\n\r\n" + Body)]
    [InlineData("a folded header", "Content-Length: 27\r\nX-Folded: a\r\n b\r\n\r\n" + Body)]
    [InlineData("a bare line feed", "Content-Length: 27\nX-Other: a\r\n\r\n" + Body)]
    [InlineData("a blank before the colon", "Content-Length : 27\r\n\r\n" + Body)]
    [InlineData("chunks under another name", "Transfer-Encoding: xchunked\r\n\r\n1b\r\n" + Body + "\r\n0\r\n\r\n")]
    [Trait("Conformance", "TN-11")]
    public async Task Ambiguous_framing_is_answered_with_400_and_closes_the_connection(string what, string rest)
    {
        var tenant = await _cube.CreateTenantAsync();
        var before = system.Backend.Requests.Count;
        using var socket = new TcpClient();
        await socket.ConnectAsync(_cube.Proxy.Host, _cube.Proxy.Port);
        await using var stream = socket.GetStream();
        await stream.WriteAsync(Encoding.ASCII.GetBytes(
            $"POST {tenant.Api}/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {tenant.Token}\r\nContent-Type: application/json\r\n{rest}"));
        using var reader = new StreamReader(stream);
        // Reads to the end: the proxy must close the connection.
        var answer = await reader.ReadToEndAsync().WaitAsync(TimeSpan.FromSeconds(10));
        Assert.True(answer.StartsWith("HTTP/1.1 400", StringComparison.Ordinal), $"{what}: {answer}");
        Assert.Single(answer.Split("HTTP/1.1 ", StringSplitOptions.RemoveEmptyEntries));
        Assert.Equal(before, system.Backend.Requests.Count);
    }

    [Theory]
    [InlineData("POST", "/proxy/{0}/v1/models/%2e%2e/chat/completions", 405)]
    [InlineData("POST", "/{0}/v1/models/%2E%2E/chat/completions", 405)]
    [InlineData("DELETE", "/{0}/v1/models/%2e%2e/%2e%2e/models", 405)]
    [InlineData("GET", "/{0}/v1/models/%2e", 404)]
    [InlineData("post", "/proxy/{0}/v1/chat/completions", 405)]
    [InlineData("Get", "/{0}/v1/models", 405)]
    [InlineData("GET", "/PROXY/{0}/v1/models", 404)]
    [InlineData("POST", "/PROXY/{0}/v1/models", 404)]
    [InlineData("GET", "/%20{0}/v1/models", 404)]
    [InlineData("POST", "/foo/v1/models", 404)]
    [InlineData("GET", "/openapi/other.json", 404)]
    [Trait("Conformance", "TN-02")]
    public async Task Escaped_dot_segments_and_other_letter_case_select_no_other_endpoint(string method, string path, int expected)
    {
        var tenant = await _cube.CreateTenantAsync();
        var before = system.Backend.Requests.Count(static received => received.Method == "POST");
        var answer = await SendRawAsync($"{method} {string.Format(System.Globalization.CultureInfo.InvariantCulture, path, tenant.Domain)}", tenant.Token, Body);
        Assert.StartsWith($"HTTP/1.1 {expected} ", answer, StringComparison.Ordinal);
        Assert.Equal(before, system.Backend.Requests.Count(static received => received.Method == "POST"));
    }

    [Theory]
    [InlineData("/alive", 200)]
    [InlineData("/no-such-path", 404)]
    public async Task Tokens_are_verified_only_where_an_endpoint_requires_one(string path, int expected) =>
        Assert.StartsWith($"HTTP/1.1 {expected} ", await SendRawAsync($"GET {path}", $"pat_{new string('a', 43)}", ""), StringComparison.Ordinal);

    private async Task<string> SendRawAsync(string start, string token, string body)
    {
        using var socket = new TcpClient();
        await socket.ConnectAsync(_cube.Proxy.Host, _cube.Proxy.Port);
        await using var stream = socket.GetStream();
        await stream.WriteAsync(Encoding.ASCII.GetBytes(
            $"{start} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer {token}\r\nContent-Type: application/json\r\nContent-Length: {body.Length}\r\n\r\n{body}"));
        using var reader = new StreamReader(stream);
        return await reader.ReadToEndAsync().WaitAsync(TimeSpan.FromSeconds(10));
    }

    [Theory]
    [InlineData("GET", "/api/tags")]
    [InlineData("GET", "/api/ps")]
    [InlineData("GET", "/api/version")]
    [InlineData("POST", "/api/show")]
    [InlineData("POST", "/api/pull")]
    [InlineData("POST", "/api/push")]
    [InlineData("POST", "/api/create")]
    [InlineData("POST", "/api/copy")]
    [InlineData("DELETE", "/api/delete")]
    [InlineData("POST", "/api/blobs/sha256:0")]
    [InlineData("POST", "/api/me")]
    [InlineData("POST", "/api/signout")]
    [InlineData("POST", "/api/experimental/web_search")]
    [InlineData("POST", "/api/experimental/web_fetch")]
    [InlineData("GET", "/metrics")]
    [InlineData("GET", "/load")]
    [InlineData("GET", "/version")]
    [InlineData("GET", "/server_info")]
    [InlineData("POST", "/pause")]
    [InlineData("POST", "/resume")]
    [InlineData("POST", "/sleep")]
    [InlineData("POST", "/wake_up")]
    [InlineData("POST", "/update_weights")]
    [InlineData("POST", "/scale_elastic_ep")]
    [InlineData("POST", "/abort_requests")]
    [InlineData("POST", "/collective_rpc")]
    [InlineData("POST", "/reset_prefix_cache")]
    [InlineData("POST", "/start_profile")]
    [InlineData("POST", "/v1/load_lora_adapter")]
    [InlineData("POST", "/invocations")]
    [Trait("Conformance", "TN-04")]
    public async Task Paths_that_control_a_model_server_are_not_available_to_tenants(string method, string path)
    {
        var tenant = await _cube.CreateTenantAsync();
        var before = system.Backend.Requests.Count;
        var (status, body) = await _cube.SendAsync(new HttpMethod(method), $"/proxy/{tenant.Domain}{path}", tenant.Token, method == "GET" ? null : new { name = "m" });
        // Only platform administrators change models. The other paths do not exist.
        var isAdministration = path is "/api/pull" or "/api/create" or "/api/copy" or "/api/delete";
        Assert.Equal(isAdministration ? (403, "insufficient_permissions") : (404, "unknown_url"), (status, DomainExtensions.CodeOf(body)));
        Assert.Equal(before, system.Backend.Requests.Count);
    }

    [Fact]
    [Trait("Conformance", "TN-08")]
    public async Task Concurrent_streams_of_two_tenants_never_mix()
    {
        Tenant[] tenants = [await _cube.CreateTenantAsync(), await _cube.CreateTenantAsync()];
        system.Backend.Answer = static async context =>
        {
            // The model server repeats the prompt in every event.
            var mark = System.Text.Json.JsonElement.Parse((string)context.Items[FakeBackend.BodyItem]!).GetProperty("messages")[0].GetProperty("content").GetString();
            context.Response.ContentType = "text/event-stream";
            for (var i = 0; i < 10; i++)
            {
                await context.Response.WriteAsync($"data: {{\"id\":\"{mark}\",\"choices\":[{{\"index\":0,\"delta\":{{\"content\":\"{mark}\"}},\"finish_reason\":null}}]}}\n\n");
                await context.Response.Body.FlushAsync();
                await Task.Delay(5);
            }

            await context.Response.WriteAsync(FakeBackend.End);
        };
        await Task.WhenAll(Enumerable.Range(0, 50).Select(async i =>
        {
            var (tenant, mark) = (tenants[i % 2], $"mark-{i}-of-{i % 2}");
            using var response = await _cube.SendRawAsync(
                HttpMethod.Post, $"{tenant.Api}/chat/completions", tenant.Token, new { model = "m", stream = true, messages = (object[])[new { role = "user", content = mark }] });
            var body = await response.Content.ReadAsStringAsync();
            var seen = Id().Matches(body).Select(static match => match.Groups["id"].Value).ToArray();
            Assert.Equal(10, seen.Length);
            Assert.All(seen, other => Assert.Equal(mark, other));
            Assert.EndsWith("data: [DONE]\n\n", body, StringComparison.Ordinal);
        }));
    }

    [GeneratedRegex("\"delta\":.\"content\":\"(?<id>[^\"]*)\"")]
    private static partial Regex Id();
}
