using System.Net.Http.Headers;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using Cube.Tests.Systems;

namespace Cube.Tests.Functional.Proxy;

/// <summary>Errors below the path of a domain have the OpenAI format. Other errors have the management format.</summary>
[Collection(FakeBackendCollectionDefinition.Name)]
public sealed class ErrorTests(FakeBackendSystem system)
{
    private readonly CubeSystem _cube = system.Reset();

    [Theory]
    [InlineData("GET", "/v1/nope", null, 404, "unknown_url")]
    [InlineData("GET", "/v1/models/", null, 404, "unknown_url")]
    [InlineData("GET", "/v1/chat/completions", null, 405, "method_not_allowed")]
    [InlineData("DELETE", "/v1/models/m", null, 405, "method_not_allowed")]
    [InlineData("TRACE", "/v1/models", null, 405, "method_not_allowed")]
    [InlineData("POST", "/v1/chat/completions", "text/plain", 415, "unsupported_media_type")]
    [InlineData("POST", "/v1/chat/completions", "multipart/form-data; boundary=x", 415, "unsupported_media_type")]
    [InlineData("POST", "/v1/chat/completions", "application/jsonx", 415, "unsupported_media_type")]
    [InlineData("GET", "/v1/models/unknown", null, 404, "model_not_found")]
    [Trait("Conformance", "ER-05"), Trait("Conformance", "ER-07"), Trait("Conformance", "ER-08"), Trait("Conformance", "MD-06")]
    public async Task A_rejected_inference_request_has_the_OpenAI_error_format(string method, string path, string? type, int expected, string code)
    {
        var tenant = await _cube.CreateTenantAsync();
        using var content = type is null ? null : new StringContent("{}");
        content?.Headers.ContentType = MediaTypeHeaderValue.Parse(type!);
        using var response = await _cube.SendRawAsync(new HttpMethod(method), $"/{tenant.Domain}{path}", tenant.Token, content);
        Assert.Equal(expected, (int)response.StatusCode);
        await AssertEnvelopeAsync(response, code);
        Assert.Equal(expected == 405, response.Content.Headers.Allow.Count > 0);
        Assert.Equal("false", response.Headers.GetValues("x-should-retry").Single());
    }

    [Fact]
    [Trait("Conformance", "ER-06")]
    public async Task A_compressed_body_is_rejected()
    {
        var tenant = await _cube.CreateTenantAsync();
        using var content = new StringContent("{}", new MediaTypeHeaderValue("application/json"));
        content.Headers.ContentEncoding.Add("gzip");
        using var response = await _cube.SendRawAsync(HttpMethod.Post, $"{tenant.Api}/chat/completions", tenant.Token, content);
        await AssertEnvelopeAsync(response, "unsupported_media_type");
    }

    [Theory]
    [InlineData("/proxy/default/v1/models")]
    [InlineData("/proxy/x")]
    [InlineData("/proxy")]
    [Trait("Conformance", "TN-02")]
    public async Task A_domain_that_is_not_a_UUID_is_an_invalid_path(string path)
    {
        var tenant = await _cube.CreateTenantAsync();
        var before = system.Backend.Requests.Count;
        using var response = await _cube.SendRawAsync(HttpMethod.Get, path, tenant.Token);
        await AssertEnvelopeAsync(response, "invalid_path");
        Assert.Equal(400, (int)response.StatusCode);
        Assert.Equal(before, system.Backend.Requests.Count);
    }

    [Theory]
    [InlineData("GET", "/nothing", 404)]
    [InlineData("GET", "/proxy/api/routes", 401)]
    [InlineData("GET", "/default/v1/models", 404)]
    [InlineData("POST", "/health", 405)]
    [InlineData("GET", "/users/profile", 401)]
    [InlineData("DELETE", "/domains", 405)]
    [InlineData("GET", "/pats", 401)]
    [InlineData("GET", "/pats/x", 404)]
    public async Task Other_errors_have_the_management_error_format(string method, string path, int expected)
    {
        var (status, body) = await _cube.SendAsync(new HttpMethod(method), path, null);
        Assert.Equal(expected, status);
        Assert.Equal(["error", "message"], body.EnumerateObject().Select(static member => member.Name));
    }

    [Fact]
    [Trait("Conformance", "ER-06")]
    public async Task A_declared_body_over_the_limit_is_rejected_before_it_is_read()
    {
        var tenant = await _cube.CreateTenantAsync();
        using var socket = new TcpClient();
        await socket.ConnectAsync(_cube.Proxy.Host, _cube.Proxy.Port);
        await using var stream = socket.GetStream();
        // The request declares a body and never sends it.
        await stream.WriteAsync(Encoding.ASCII.GetBytes(
            $"POST {tenant.Api}/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {tenant.Token}\r\nContent-Type: application/json\r\nContent-Length: 1073741824\r\n\r\n"));
        using var reader = new StreamReader(stream);
        var answer = await reader.ReadToEndAsync();
        Assert.StartsWith("HTTP/1.1 413", answer, StringComparison.Ordinal);
        Assert.Contains("Connection: close", answer, StringComparison.OrdinalIgnoreCase);
        Assert.Contains("\"code\":\"request_too_large\"", answer, StringComparison.Ordinal);
    }

    [Fact]
    [Trait("Conformance", "ER-06")]
    public async Task A_chunked_body_over_the_limit_is_rejected_while_it_is_read()
    {
        var tenant = await _cube.CreateTenantAsync();
        system.Backend.Answer = static context => FakeBackend.JsonAsync(context, 200, FakeBackend.Chat);
        using var content = new EndlessJson(33 << 20);
        using var response = await _cube.SendRawAsync(HttpMethod.Post, $"{tenant.Api}/chat/completions", tenant.Token, content);
        Assert.Equal(413, (int)response.StatusCode);
        await AssertEnvelopeAsync(response, "request_too_large");
    }

    [Fact]
    public async Task A_body_of_the_maximum_size_is_accepted()
    {
        var tenant = await _cube.CreateTenantAsync();
        system.Backend.Answer = static context => FakeBackend.JsonAsync(context, 200, FakeBackend.Chat);
        using var content = new EndlessJson(31 << 20);
        using var response = await _cube.SendRawAsync(HttpMethod.Post, $"{tenant.Api}/chat/completions", tenant.Token, content);
        Assert.Equal(200, (int)response.StatusCode);
    }

    [Theory]
    [InlineData(1, 100_000)]
    [InlineData(2_000, 1)]
    [Trait("Conformance", "ER-15")]
    public async Task Headers_over_the_limits_are_answered_with_431_in_the_error_format_of_the_path(int count, int length)
    {
        var tenant = await _cube.CreateTenantAsync();
        foreach (var (path, envelope) in new[] { ($"{tenant.Api}/models", true), ("/users/profile", false) })
        {
            using var request = new HttpRequestMessage(HttpMethod.Get, path);
            for (var i = 0; i < count; i++)
            {
                request.Headers.TryAddWithoutValidation($"x-header-{i}", new string('a', length));
            }

            using var response = await _cube.Http.SendAsync(request);
            Assert.Equal(431, (int)response.StatusCode);
            var body = JsonElement.Parse(await response.Content.ReadAsStringAsync());
            Assert.Equal(envelope ? JsonValueKind.Object : JsonValueKind.String, body.GetProperty("error").ValueKind);
        }
    }

    internal static async Task AssertEnvelopeAsync(HttpResponseMessage response, string code)
    {
        Assert.Equal("application/json", response.Content.Headers.ContentType?.MediaType);
        Assert.StartsWith("req_", response.Headers.GetValues("x-request-id").Single(), StringComparison.Ordinal);
        var text = await response.Content.ReadAsStringAsync();
        var body = JsonElement.Parse(text);
        Assert.Equal(["error"], body.EnumerateObject().Select(static member => member.Name));
        var error = body.GetProperty("error");
        Assert.Equal(["message", "type", "param", "code"], error.EnumerateObject().Select(static member => member.Name));
        Assert.Equal(code, error.GetProperty("code").GetString());
        Assert.DoesNotMatch("(?i)ollama|vllm|uvicorn|127\\.0\\.0\\.1|exception", text);
    }

    /// <summary>A JSON body of the given size in bytes, sent in chunks without a Content-Length.</summary>
    private sealed class EndlessJson : HttpContent
    {
        private readonly int _size;

        public EndlessJson(int size)
        {
            _size = size;
            Headers.ContentType = new MediaTypeHeaderValue("application/json");
        }

        protected override async Task SerializeToStreamAsync(Stream stream, System.Net.TransportContext? context)
        {
            await stream.WriteAsync("{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\""u8.ToArray());
            var chunk = Encoding.ASCII.GetBytes(new string('a', 1 << 16));
            for (var sent = 0; sent < _size; sent += chunk.Length)
            {
                await stream.WriteAsync(chunk);
            }

            await stream.WriteAsync("\"}]}"u8.ToArray());
        }

        protected override bool TryComputeLength(out long length)
        {
            length = 0;
            return false;
        }
    }
}
