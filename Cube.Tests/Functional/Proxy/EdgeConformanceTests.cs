using System.ClientModel;
using System.ClientModel.Primitives;
using System.Net.Http.Headers;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using Cube.Tests.Systems;
using Microsoft.AspNetCore.Http;
using OpenAI;
using OpenAI.Chat;

namespace Cube.Tests.Functional.Proxy;

/// <summary>Rows of the conformance table about the edge: retries, the Accept header, path manipulation and metering.</summary>
[Collection(FakeBackendCollectionDefinition.Name)]
public sealed class EdgeConformanceTests(FakeBackendSystem system)
{
    private const string Stream = """{"model":"m","stream":true,"messages":[{"role":"user","content":"hi"}]}""";
    private readonly CubeSystem _cube = system.Reset();

    [Fact]
    [Trait("Conformance", "ER-12")]
    public async Task The_NET_SDK_does_not_retry_permanent_errors()
    {
        var tenant = await _cube.CreateTenantAsync();
        var attempts = new Counting();
        var options = new OpenAIClientOptions { Endpoint = new Uri(_cube.Proxy, tenant.Api), RetryPolicy = new ClientRetryPolicy(2) };
        options.AddPolicy(attempts, PipelinePosition.PerTry);
        foreach (var (token, model, status) in ((string, string, int)[])[("forged", "m", 401), (tenant.Token, "unknown", 404)])
        {
            attempts.Count = 0;
            var client = new OpenAIClient(new ApiKeyCredential(token), options).GetChatClient(model);
            Assert.Equal(status, (await Assert.ThrowsAsync<ClientResultException>(() => client.CompleteChatAsync([new UserChatMessage("hi")]))).Status);
            Assert.Equal(1, attempts.Count);
        }
    }

    [Fact]
    [Trait("Conformance", "ER-13")]
    public async Task A_busy_model_server_sends_Retry_After_and_the_SDK_retries()
    {
        var tenant = await _cube.CreateTenantAsync();
        var left = 2;
        system.Backend.Answer = context => Interlocked.Decrement(ref left) >= 0 ? FakeBackend.JsonAsync(context, 429, "{}") : FakeBackend.JsonAsync(context, 200, FakeBackend.Chat);
        using (var first = await _cube.SendRawAsync(HttpMethod.Post, $"{tenant.Api}/chat/completions", tenant.Token, TenantIsolationTests.Chat))
        {
            Assert.Equal(503, (int)first.StatusCode);
            Assert.InRange(first.Headers.RetryAfter!.Delta!.Value.TotalSeconds, 1, 60);
        }

        Assert.Equal("Hello.", (await _cube.CreateSdkClient(tenant).GetChatClient("m").CompleteChatAsync([new UserChatMessage("hi")])).Value.Content[0].Text);
        Assert.True(left < 0);
    }

    [Theory]
    [InlineData("text/html")]
    [InlineData("application/xml;q=1, */*;q=0")]
    [Trait("Conformance", "ER-16")]
    public async Task The_response_is_JSON_for_every_Accept_header(string accept)
    {
        var tenant = await _cube.CreateTenantAsync();
        foreach (var (token, status) in ((string, int)[])[(tenant.Token, 200), ("forged", 401)])
        {
            using var request = new HttpRequestMessage(HttpMethod.Post, $"{tenant.Api}/chat/completions") { Content = new StringContent(JsonSerializer.Serialize(TenantIsolationTests.Chat), new MediaTypeHeaderValue("application/json")) };
            request.Headers.Authorization = new("Bearer", token);
            request.Headers.TryAddWithoutValidation("Accept", accept);
            using var response = await _cube.Http.SendAsync(request);
            Assert.Equal((status, "application/json"), ((int)response.StatusCode, response.Content.Headers.ContentType?.MediaType));
        }
    }

    [Fact]
    [Trait("Conformance", "TN-02")]
    public async Task No_path_manipulation_reaches_another_domain()
    {
        var (mine, other) = (await _cube.CreateTenantAsync(), await _cube.CreateTenantAsync());
        var before = system.Backend.Requests.Count;
        string[] targets =
        [
            $"/proxy/{mine.Domain}/../{other.Domain}/v1/models", $"/proxy/{mine.Domain}/%2e%2e/{other.Domain}/v1/models", $"/proxy/{mine.Domain}/..%2f{other.Domain}/v1/models",
            $"/proxy/{mine.Domain}%2f..%2f{other.Domain}/v1/models", $"//proxy/{other.Domain}/v1/models", $"/proxy//{other.Domain}/v1/models", $"/PROXY/{other.Domain}/v1/models",
            $"/proxy/{mine.Domain}/v1/models/..%2f..%2f..%2f{other.Domain}%2fv1%2fmodels", $"/proxy/{mine.Domain}\\..\\{other.Domain}/v1/models", $"/proxy/{mine.Domain};/{other.Domain}/v1/models",
            $"http://127.0.0.1/proxy/{other.Domain}/v1/models", $"/proxy/{other.Domain:N}/v1/models", $"/proxy/{{{other.Domain}}}/v1/models", $"/{other.Domain}/v1/models#/{mine.Domain}",
        ];
        foreach (var target in targets)
        {
            using var socket = new TcpClient();
            await socket.ConnectAsync(_cube.Proxy.Host, _cube.Proxy.Port);
            await socket.GetStream().WriteAsync(Encoding.ASCII.GetBytes($"GET {target} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {mine.Token}\r\nConnection: close\r\n\r\n"));
            using var reader = new StreamReader(socket.GetStream());
            var answer = await reader.ReadToEndAsync();
            Assert.True(answer.Length == 0 || !answer.StartsWith("HTTP/1.1 2", StringComparison.Ordinal), $"{target}: {answer}");
        }

        Assert.Equal(before, system.Backend.Requests.Count);
    }

    [Fact]
    [Trait("Conformance", "TN-06")]
    public async Task The_proxy_sets_a_cache_salt_that_no_client_can_choose()
    {
        var (first, second) = (await _cube.CreateTenantAsync(), await _cube.CreateTenantAsync());
        var colleague = await _cube.CreateMemberAsync(first, "member");
        var salts = new List<string>();
        foreach (var tenant in (Tenant[])[first, first, second, colleague])
        {
            await ClientResponse.AskAsync(_cube, tenant, "chat/completions", """{"model":"m","messages":[{"role":"user","content":"hi"}],"cache_salt":"theirs","priority":9,"request_id":"x","chat_template":"t","kv_transfer_params":{}}""");
            var sent = JsonElement.Parse(system.Backend.Requests.Last().Body);
            Assert.Equal(["cache_salt", "messages", "model"], sent.EnumerateObject().Select(static member => member.Name).Order(StringComparer.Ordinal));
            salts.Add(sent.GetProperty("cache_salt").GetString()!);
        }

        Assert.DoesNotContain("theirs", salts);
        Assert.Equal(salts[0], salts[1]);
        Assert.Equal(3, salts.Distinct().Count());
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    [Trait("Conformance", "CA-05")]
    public async Task An_aborted_response_is_metered_up_to_the_abort(bool isToldOf)
    {
        var tenant = await _cube.CreateTenantAsync();
        system.Backend.Answer = async context =>
        {
            context.Response.ContentType = "text/event-stream";
            for (var i = 0; ; i++)
            {
                await context.Response.WriteAsync(isToldOf ? FakeBackend.Event(i).Replace("}\n\n", $",\"usage\":{{\"prompt_tokens\":7,\"completion_tokens\":{i + 1}}}}}\n\n", StringComparison.Ordinal) : FakeBackend.Event(i), context.RequestAborted);
                await context.Response.Body.FlushAsync(context.RequestAborted);
                await Task.Delay(20, context.RequestAborted);
            }
        };
        using (var request = new HttpRequestMessage(HttpMethod.Post, $"{tenant.Api}/chat/completions") { Content = new StringContent(Stream, new MediaTypeHeaderValue("application/json")) })
        {
            request.Headers.Authorization = new("Bearer", tenant.Token);
            using var response = await _cube.Http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);
            await using var stream = await response.Content.ReadAsStreamAsync();
            await stream.ReadExactlyAsync(new byte[600]);
        }

        var line = await LineAsync(tenant, "Aborted");
        Assert.Matches(isToldOf ? "7 prompt tokens, [1-9][0-9]* completion tokens" : "[1-9][0-9]* prompt tokens, [1-9][0-9]* completion tokens", line);
    }

    [Fact]
    [Trait("Conformance", "US-02")]
    public async Task Failed_and_rejected_requests_are_logged_with_zero_tokens()
    {
        var (failed, broken, refused) = (await _cube.CreateTenantAsync(), await _cube.CreateTenantAsync(), await _cube.CreateTenantAsync());
        system.Backend.Answer = static context => FakeBackend.JsonAsync(context, 500, """{"error":"x","usage":{"prompt_tokens":3,"completion_tokens":2}}""");
        Assert.Equal(502, (await _cube.ChatAsync(failed.Domain, failed.Token)).Status);
        Assert.Contains("Failed, 0 prompt tokens, 0 completion tokens", await LineAsync(failed, "Failed"), StringComparison.Ordinal);

        system.Backend.Answer = static async context =>
        {
            context.Response.ContentType = "text/event-stream";
            await context.Response.WriteAsync(FakeBackend.Event(0).Replace("}\n\n", ",\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":2}}\n\n", StringComparison.Ordinal));
        };
        Assert.True((await ClientResponse.AskAsync(_cube, broken, "chat/completions", Stream)).IsBroken);
        Assert.Contains("Failed, 0 prompt tokens, 0 completion tokens", await LineAsync(broken, "Failed"), StringComparison.Ordinal);

        Assert.Equal(400, (await ClientResponse.AskAsync(_cube, refused, "chat/completions", """{"model":"m"}""")).Status);
        Assert.Contains("Refused, 0 prompt tokens, 0 completion tokens", await LineAsync(refused, "Refused"), StringComparison.Ordinal);
    }

    [Fact]
    [Trait("Conformance", "US-01")]
    public async Task Usage_is_the_usage_that_the_model_server_reports()
    {
        var (whole, streamed) = (await _cube.CreateTenantAsync(), await _cube.CreateTenantAsync());
        Assert.Equal(200, (await _cube.ChatAsync(whole.Domain, whole.Token)).Status);
        Assert.Contains("Complete, 3 prompt tokens, 2 completion tokens", await LineAsync(whole, "Complete"), StringComparison.Ordinal);
        system.Backend.Answer = static async context =>
        {
            context.Response.ContentType = "text/event-stream";
            await context.Response.WriteAsync(FakeBackend.Event(0) + FakeBackend.End.Replace("data: [DONE]", "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":11,\"completion_tokens\":4}}\n\ndata: [DONE]", StringComparison.Ordinal));
        };
        Assert.False((await ClientResponse.AskAsync(_cube, streamed, "chat/completions", Stream)).IsBroken);
        Assert.Contains("Complete, 11 prompt tokens, 4 completion tokens", await LineAsync(streamed, "Complete"), StringComparison.Ordinal);
    }

    /// <summary>The log line of the proxy about the request of this domain with this outcome.</summary>
    private async Task<string> LineAsync(Tenant tenant, string end)
    {
        string? line = null;
        await Eventually.TrueAsync(
            () => Task.FromResult((line = _cube.Logs.Split('\n').LastOrDefault(text => text.Contains($"domain {tenant.Domain}", StringComparison.Ordinal) && text.Contains($", {end}, ", StringComparison.Ordinal))) is not null),
            $"the log has a request with the outcome {end}");
        return line!;
    }

    private sealed class Counting : PipelinePolicy
    {
        public int Count { get; set; }

        public override void Process(PipelineMessage message, IReadOnlyList<PipelinePolicy> pipeline, int currentIndex)
        {
            Count++;
            ProcessNext(message, pipeline, currentIndex);
        }

        public override ValueTask ProcessAsync(PipelineMessage message, IReadOnlyList<PipelinePolicy> pipeline, int currentIndex)
        {
            Count++;
            return ProcessNextAsync(message, pipeline, currentIndex);
        }
    }
}
