using Cube.Tests.Systems;

namespace Cube.Tests.Functional.Proxy;

/// <summary>More concurrent requests than one attested connection takes, and the explicit limits.</summary>
[Collection(FakeBackendCollectionDefinition.Name)]
public sealed class BackendLimitTests(FakeBackendSystem system)
{
    private const string Chat = """{"model":"m","stream":true,"messages":[{"role":"user","content":"hello"}]}""";

    [Fact]
    public async Task Further_attested_connections_are_opened_before_the_present_ones_are_full()
    {
        await using var machine = await FaultyAttester.StartAsync(maxStreams: 20);
        var (http, tenant) = await StartAsync(machine);
        using (var warm = await PostAsync(http, tenant))
        {
            Assert.Equal(200, (int)warm.StatusCode);
        }

        machine.Hold = new TaskCompletionSource();
        // Each has its first event and stays open.
        var responses = await Task.WhenAll(Enumerable.Range(0, 150).Select(_ => PostAsync(http, tenant)));
        Assert.All(responses, static response => Assert.Equal(200, (int)response.StatusCode));
        Assert.InRange(machine.Exchanges, 8, 20);
        Assert.Empty(machine.Leaked);
        machine.Hold.SetResult();
        foreach (var response in responses)
        {
            Assert.EndsWith("data: [DONE]\n\n", await response.Content.ReadAsStringAsync(), StringComparison.Ordinal);
            response.Dispose();
        }

        http.Dispose();
    }

    [Fact]
    public async Task Beyond_the_limits_the_response_is_429_or_503_with_Retry_After_and_never_502()
    {
        await using var machine = await FaultyAttester.StartAsync();
        var (http, tenant) = await StartAsync(
            machine, new("Backend__MaxConcurrentRequests", "2"), new("Backend__MaxWaitingRequests", "2"), new("Backend__MaxWaitingRequestsPerDomain", "1"), new("Backend__WaitTimeout", "00:00:03"));
        var other = await system.Cube.CreateTenantAsync();
        var third = await system.Cube.CreateTenantAsync();
        machine.Hold = new TaskCompletionSource();
        using var first = await PostAsync(http, tenant);
        using var second = await PostAsync(http, tenant);
        Assert.Equal((200, 200), ((int)first.StatusCode, (int)second.StatusCode));

        var waiting = PostAsync(http, tenant);
        await Task.Delay(300);
        using (var rejected = await PostAsync(http, tenant))
        {
            Assert.Equal((429, "2"), ((int)rejected.StatusCode, rejected.Headers.RetryAfter?.ToString()));
        }

        // A domain with one waiting request does not take the place of another domain.
        var waitingOfOther = PostAsync(http, other);
        await Task.Delay(300);
        Assert.False(waitingOfOther.IsCompleted);
        using (var rejected = await PostAsync(http, third))
        {
            Assert.Equal((503, "2"), ((int)rejected.StatusCode, rejected.Headers.RetryAfter?.ToString()));
            Assert.Contains("\"overloaded\"", await rejected.Content.ReadAsStringAsync(), StringComparison.Ordinal);
        }

        using (var late = await waiting)
        {
            Assert.Equal((503, "2"), ((int)late.StatusCode, late.Headers.RetryAfter?.ToString()));
        }

        using (var late = await waitingOfOther)
        {
            Assert.Equal(503, (int)late.StatusCode);
        }

        // A request that waits is served as soon as another one ends.
        var next = PostAsync(http, other);
        await Task.Delay(300);
        machine.Hold.SetResult();
        using var served = await next;
        Assert.Equal(200, (int)served.StatusCode);
        http.Dispose();
    }

    private async Task<(HttpClient Http, Tenant Tenant)> StartAsync(FaultyAttester machine, params KeyValuePair<string, string>[] settings)
    {
        var cube = system.Reset();
        var proxy = await cube.StartAnotherProxyAsync(
            [new("services__agent__https__0", machine.Address), new("ConnectionStrings__proxy", await system.Postgres.CreateDatabaseAsync()), .. settings]);
        return (new HttpClient(new SocketsHttpHandler { UseProxy = false }) { BaseAddress = proxy }, await cube.CreateTenantAsync());
    }

    private static async Task<HttpResponseMessage> PostAsync(HttpClient http, Tenant tenant)
    {
        var request = new HttpRequestMessage(HttpMethod.Post, $"{tenant.Api}/chat/completions") { Content = new StringContent(Chat, System.Text.Encoding.UTF8, "application/json") };
        request.Headers.Authorization = new("Bearer", tenant.Token);
        return await http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);
    }
}
