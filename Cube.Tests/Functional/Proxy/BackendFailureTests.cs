using System.Net;
using System.Net.Http.Json;
using System.Net.Sockets;
using Cube.Tests.Systems;

namespace Cube.Tests.Functional.Proxy;

[Collection(FakeBackendCollectionDefinition.Name)]
public sealed class BackendFailureTests(FakeBackendSystem system)
{
    private const string Secret = "text of the model server at 10.0.0.7";
    private readonly CubeSystem _cube = system.Reset();

    [Theory]
    [InlineData(400, 400, "invalid_value")]
    [InlineData(401, 502, "upstream_error")]
    [InlineData(403, 502, "upstream_error")]
    [InlineData(404, 404, "model_not_found")]
    [InlineData(405, 502, "upstream_error")]
    [InlineData(418, 502, "upstream_error")]
    [InlineData(422, 400, "invalid_value")]
    [InlineData(429, 503, "overloaded")]
    [InlineData(500, 502, "upstream_error")]
    [InlineData(502, 502, "upstream_error")]
    [InlineData(503, 503, "overloaded")]
    [InlineData(504, 504, "upstream_timeout")]
    [Trait("Conformance", "ER-09")]
    public async Task A_backend_status_is_translated_and_its_text_is_not_forwarded(int backend, int expected, string code)
    {
        var tenant = await _cube.CreateTenantAsync();
        foreach (var (type, body) in new[]
        {
            ("application/json", $$$"""{"error":{"message":"{{{Secret}}}","type":"x","param":null,"code":400}}"""),
            ("application/json", $$"""{"error":"{{Secret}}"}"""),
            ("text/html", $"<html>{Secret}</html>"),
            ("text/plain", ""),
        })
        {
            system.Backend.Answer = context => FakeBackend.TextAsync(context, backend, type, body);
            using var response = await _cube.SendRawAsync(HttpMethod.Post, $"{tenant.Api}/chat/completions", tenant.Token, TenantIsolationTests.Chat);
            Assert.Equal(expected, (int)response.StatusCode);
            Assert.Equal(expected >= 500, response.Headers.RetryAfter is not null);
            Assert.DoesNotContain(Secret, await response.Content.ReadAsStringAsync(), StringComparison.Ordinal);
            await ErrorTests.AssertEnvelopeAsync(response, code);
        }
    }

    [Fact]
    public async Task A_model_server_cannot_forge_an_error_of_Cube()
    {
        var tenant = await _cube.CreateTenantAsync();
        system.Backend.Answer = context =>
        {
            context.Response.Headers["x-cube-error"] = "1";
            return FakeBackend.JsonAsync(context, 400, $$$"""{"error":{"message":"{{{Secret}}}","type":"x","param":null,"code":"y"}}""");
        };
        using var response = await _cube.SendRawAsync(HttpMethod.Post, $"{tenant.Api}/chat/completions", tenant.Token, TenantIsolationTests.Chat);
        await ErrorTests.AssertEnvelopeAsync(response, "invalid_value");
    }

    [Fact]
    public async Task A_prompt_that_is_too_long_is_context_length_exceeded()
    {
        var tenant = await _cube.CreateTenantAsync();
        system.Backend.Answer = static context => FakeBackend.JsonAsync(
            context, 400, """{"error":{"message":"This model's maximum context length is 2048 tokens.","type":"BadRequestError","param":null,"code":400}}""");
        using var response = await _cube.SendRawAsync(HttpMethod.Post, $"{tenant.Api}/chat/completions", tenant.Token, TenantIsolationTests.Chat);
        await ErrorTests.AssertEnvelopeAsync(response, "context_length_exceeded");
    }

    [Theory]
    [InlineData(200, "text/html")]
    [InlineData(302, "text/plain")]
    [InlineData(204, null)]
    public async Task An_unusable_backend_response_is_answered_with_502(int status, string? type)
    {
        var tenant = await _cube.CreateTenantAsync();
        system.Backend.Answer = context =>
        {
            (context.Response.StatusCode, context.Response.ContentType) = (status, type);
            context.Response.Headers.Location = status == 302 ? "http://169.254.169.254/" : default;
            return Task.CompletedTask;
        };
        using var response = await _cube.SendRawAsync(HttpMethod.Post, $"{tenant.Api}/chat/completions", tenant.Token, TenantIsolationTests.Chat);
        Assert.Equal(502, (int)response.StatusCode);
        await ErrorTests.AssertEnvelopeAsync(response, "upstream_error");
    }

    [Fact]
    [Trait("Conformance", "ER-10")]
    public async Task A_backend_disconnect_before_the_response_is_answered_with_502()
    {
        var tenant = await _cube.CreateTenantAsync();
        system.Backend.Answer = static context =>
        {
            context.Abort();
            return Task.CompletedTask;
        };
        using var response = await _cube.SendRawAsync(HttpMethod.Post, $"{tenant.Api}/chat/completions", tenant.Token, TenantIsolationTests.Chat);
        Assert.Equal(502, (int)response.StatusCode);
        await ErrorTests.AssertEnvelopeAsync(response, "upstream_error");
    }

    [Fact]
    [Trait("Conformance", "MD-01"), Trait("Conformance", "MD-02"), Trait("Conformance", "MD-04")]
    public async Task The_model_list_has_four_members_per_model_and_can_be_empty()
    {
        await using var backend = new FakeBackend
        {
            Models = null,
            Answer = static context => FakeBackend.JsonAsync(
                context, 200, """{"object":"list","data":[{"id":"org/m","object":"model","created":7,"owned_by":"vllm","root":"/weights/secret","permission":[{}],"max_model_len":9},{"id":"org/m"}]}"""),
        };
        await backend.StartAsync();
        await using var cube = await CubeSystem.StartAsync(system.Postgres, ("ollama", backend.Address));
        var tenant = await cube.CreateTenantAsync();
        var (_, list) = await cube.SendAsync(HttpMethod.Get, $"{tenant.Api}/models", tenant.Token);
        Assert.Equal("""{"object":"list","data":[{"id":"org/m","object":"model","created":7,"owned_by":"vllm"}]}""", list.GetRawText());
        Assert.Equal("org/m", (await cube.SendAsync(HttpMethod.Get, $"{tenant.Api}/models/org%2Fm", tenant.Token)).Body.GetProperty("id").GetString());

        backend.Answer = static context => FakeBackend.JsonAsync(context, 200, """{"object":"list","data":null}""");
        await Eventually.TrueAsync(
            async () => (await cube.SendAsync(HttpMethod.Get, $"{tenant.Api}/models", tenant.Token)).Body.GetRawText() == """{"object":"list","data":[]}""",
            "the list is renewed", 15);
    }

    [Fact]
    [Trait("Conformance", "ER-10")]
    public async Task An_unavailable_model_server_is_a_502_and_never_the_guide()
    {
        using var free = new TcpListener(IPAddress.Loopback, 0);
        free.Start();
        var nobody = new Uri($"http://127.0.0.1:{((IPEndPoint)free.LocalEndpoint).Port}");
        free.Stop();
        await using var cube = await CubeSystem.StartAsync(system.Postgres, ("vllm", nobody));
        var tenant = await cube.CreateTenantAsync();
        using var response = await cube.SendRawAsync(HttpMethod.Post, $"{tenant.Api}/chat/completions", tenant.Token, TenantIsolationTests.Chat);
        Assert.Equal(502, (int)response.StatusCode);
        Assert.Equal(502, (await cube.SendAsync(HttpMethod.Get, $"{tenant.Api}/models", tenant.Token)).Status);
    }

    [Fact]
    [Trait("Conformance", "ER-10")]
    public async Task An_agent_that_the_policy_rejects_receives_no_prompt()
    {
        var proxy = await _cube.StartAnotherProxyAsync(
            new("ConnectionStrings__proxy", await system.Postgres.CreateDatabaseAsync()), new KeyValuePair<string, string>("Attestation__FirstPolicy", """{"types":[]}"""));
        var tenant = await _cube.CreateTenantAsync();
        using var http = new HttpClient(new SocketsHttpHandler()) { BaseAddress = proxy };
        http.DefaultRequestHeaders.Authorization = new("Bearer", tenant.Token);
        system.Backend.Answer = static context => FakeBackend.JsonAsync(context, 200, FakeBackend.Chat);
        var before = system.Backend.Requests.Count;
        using var response = await http.PostAsJsonAsync($"{tenant.Api}/chat/completions", TenantIsolationTests.Chat);
        Assert.Equal(503, (int)response.StatusCode);
        Assert.Equal("false", response.Headers.GetValues("x-should-retry").Single());
        Assert.Contains("attestation_required", await response.Content.ReadAsStringAsync(), StringComparison.Ordinal);
        Assert.Equal(before, system.Backend.Requests.Count);
    }

    [Fact]
    public async Task Without_Identity_every_request_is_rejected()
    {
        await using var cube = await CubeSystem.StartAsync(system.Postgres, ("vllm", system.Backend.Address));
        var tenant = await cube.CreateTenantAsync();
        cube["Cube.Identity"].Kill();
        await Eventually.TrueAsync(async () =>
        {
            var (status, body) = await cube.SendAsync(HttpMethod.Post, $"{tenant.Api}/chat/completions", tenant.Token, TenantIsolationTests.Chat);
            return status == 503 && body.GetProperty("error").GetProperty("code").GetString() == "unavailable";
        }, "the proxy refuses");
        Assert.Equal(502, (await cube.SendAsync(HttpMethod.Get, "/users/profile", tenant.Token)).Status);

        cube.StartService("Cube.Identity");
        await Eventually.TrueAsync(
            async () => (await cube.SendAsync(HttpMethod.Post, $"{tenant.Api}/chat/completions", tenant.Token, TenantIsolationTests.Chat)).Status == 200, "it recovers");
    }
}
