using System.Net.Sockets;
using System.Text;
using Cube.Tests.Systems;

namespace Cube.Tests.Functional.Proxy;

/// <summary>CORS, <c>HEAD</c>, Latin-1 headers, and clients that do not read the response.</summary>
[Collection(FakeBackendCollectionDefinition.Name)]
public sealed class BrowserTests(FakeBackendSystem system)
{
    private readonly CubeSystem _cube = system.Reset();

    private async Task<HttpResponseMessage> SendAsync(HttpMethod method, string path, string? token, params (string Name, string Value)[] headers)
    {
        using var request = new HttpRequestMessage(method, path);
        foreach (var (name, value) in headers)
        {
            request.Headers.TryAddWithoutValidation(name, value);
        }

        if (token is not null)
        {
            request.Headers.Authorization = new("Bearer", token);
        }

        return await _cube.Http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);
    }

    private static string? Header(HttpResponseMessage response, string name) => response.Headers.TryGetValues(name, out var values) ? string.Join(',', values) : null;

    [Fact]
    public async Task A_CORS_preflight_needs_no_token_and_allows_only_configured_origins()
    {
        var tenant = await _cube.CreateTenantAsync();
        foreach (var path in (string[])[$"{tenant.Api}/chat/completions", $"/{tenant.Domain}/v1/models", "/domains", "/nowhere"])
        {
            using var allowed = await SendAsync(
                HttpMethod.Options, path, null, ("Origin", FakeBackendSystem.WebApplication), ("Access-Control-Request-Method", "POST"), ("Access-Control-Request-Headers", "authorization,content-type,x-stainless-lang"));
            Assert.Equal((204, FakeBackendSystem.WebApplication), ((int)allowed.StatusCode, Header(allowed, "Access-Control-Allow-Origin")));
            Assert.Contains("x-stainless-lang", Header(allowed, "Access-Control-Allow-Headers"), StringComparison.Ordinal);
            Assert.Null(Header(allowed, "Access-Control-Allow-Credentials"));

            using var other = await SendAsync(HttpMethod.Options, path, null, ("Origin", "http://localhost:5174"), ("Access-Control-Request-Method", "POST"));
            Assert.Null(Header(other, "Access-Control-Allow-Origin"));
        }
    }

    [Fact]
    public async Task Only_allowed_origins_can_read_responses_and_errors()
    {
        var tenant = await _cube.CreateTenantAsync();
        foreach (var (path, token, status) in ((string, string?, int)[])[($"{tenant.Api}/models", tenant.Token, 200), ($"{tenant.Api}/models", null, 401), ($"{tenant.Api}/nowhere", tenant.Token, 404), ("/domains", tenant.Token, 200), ("/domains", null, 401)])
        {
            using var allowed = await SendAsync(HttpMethod.Get, path, token, ("Origin", FakeBackendSystem.WebApplication));
            Assert.Equal((status, FakeBackendSystem.WebApplication), ((int)allowed.StatusCode, Header(allowed, "Access-Control-Allow-Origin")));
            Assert.Contains("x-request-id", Header(allowed, "Access-Control-Expose-Headers"), StringComparison.Ordinal);
            Assert.Contains("Origin", allowed.Headers.Vary);
            using var other = await SendAsync(HttpMethod.Get, path, token, ("Origin", "https://evil.example"));
            Assert.Null(Header(other, "Access-Control-Allow-Origin"));
        }
    }

    [Fact]
    public async Task HEAD_has_the_status_of_GET_and_no_body()
    {
        var tenant = await _cube.CreateTenantAsync();
        foreach (var path in (string[])
        [
            $"{tenant.Api}/models", $"{tenant.Api}/models/m", $"{tenant.Api}/models/unknown", $"/{tenant.Domain}/models", $"/{tenant.Domain}/attestation/verify", $"/{tenant.Domain}/attestation/policy",
            $"/{tenant.Domain}/nowhere", $"/domains/{tenant.Domain}", "/domains", "/users/profile", "/api/routes", "/attestation/verify", "/health", "/alive", "/openapi/v1.json", "/openapi/identity.json", "/nowhere",
        ])
        {
            using var get = await SendAsync(HttpMethod.Get, path, tenant.Token);
            using var head = await SendAsync(HttpMethod.Head, path, tenant.Token);
            Assert.Equal((path, get.StatusCode, get.Content.Headers.ContentType?.MediaType), (path, head.StatusCode, head.Content.Headers.ContentType?.MediaType));
            Assert.Equal("", await head.Content.ReadAsStringAsync());
        }

        using var post = await SendAsync(HttpMethod.Head, $"{tenant.Api}/chat/completions", tenant.Token);
        Assert.Equal((405, "POST"), ((int)post.StatusCode, string.Join(", ", post.Content.Headers.Allow)));
        using var delete = await SendAsync(HttpMethod.Delete, $"{tenant.Api}/models", tenant.Token);
        Assert.Equal("GET, HEAD", string.Join(", ", delete.Content.Headers.Allow));
        using var management = await SendAsync(HttpMethod.Delete, "/domains", tenant.Token);
        Assert.Equal(405, (int)management.StatusCode);
        Assert.Contains("HEAD", management.Content.Headers.Allow);
    }

    [Theory]
    [InlineData("X-Title", "\u00dcbersetzer", 200)]
    [InlineData("User-Agent", "caf\u00e9", 200)]
    [InlineData("Authorization", "Bearer \u00e9", 400)]
    [InlineData("Origin", "http://caf\u00e9", 400)]
    public async Task Latin_1_is_rejected_only_in_headers_that_the_proxy_reads(string name, string value, int expected)
    {
        var tenant = await _cube.CreateTenantAsync();
        foreach (var path in (string[])[$"{tenant.Api}/models", "/domains"])
        {
            var authorization = name == "Authorization" ? "" : $"Authorization: Bearer {tenant.Token}\r\n";
            using var client = new TcpClient();
            await client.ConnectAsync(_cube.Proxy.Host, _cube.Proxy.Port);
            await client.GetStream().WriteAsync(Encoding.Latin1.GetBytes($"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{authorization}{name}: {value}\r\n\r\n"));
            using var reader = new StreamReader(client.GetStream(), Encoding.Latin1);
            Assert.StartsWith($"HTTP/1.1 {expected} ", await reader.ReadLineAsync(), StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task A_client_that_does_not_read_its_stream_is_disconnected()
    {
        var proxy = await _cube.StartAnotherProxyAsync(new KeyValuePair<string, string>("Proxy__ClientStallTimeout", "00:00:02"));
        var tenant = await _cube.CreateTenantAsync();
        var stopped = new TaskCompletionSource();
        system.Backend.Answer = async context =>
        {
            context.Response.ContentType = "text/event-stream";
            var chunk = Encoding.UTF8.GetBytes(FakeBackend.Event(1).Replace("t1 ", new string('x', 8000), StringComparison.Ordinal));
            try
            {
                while (true)
                {
                    await context.Response.BodyWriter.WriteAsync(chunk, context.RequestAborted);
                    context.RequestAborted.ThrowIfCancellationRequested();
                }
            }
            catch (Exception exception) when (exception is OperationCanceledException or IOException)
            {
                stopped.TrySetResult();
            }
        };
        var body = """{"model":"m","stream":true,"messages":[{"role":"user","content":"hi"}]}""";
        using var client = new TcpClient { ReceiveBufferSize = 4096 };
        await client.ConnectAsync(proxy.Host, proxy.Port);
        await client.GetStream().WriteAsync(Encoding.ASCII.GetBytes(
            $"POST {tenant.Api}/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {tenant.Token}\r\nContent-Type: application/json\r\nContent-Length: {body.Length}\r\n\r\n{body}"));
        await stopped.Task.WaitAsync(TimeSpan.FromSeconds(60));
    }
}
