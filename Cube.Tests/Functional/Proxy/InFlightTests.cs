using System.Diagnostics;
using System.Net.Http.Headers;
using System.Text;
using Cube.Inference.Errors;
using Cube.Inference.Json;
using Cube.Proxy.Limits;
using Cube.Tests.Systems;
using Microsoft.Extensions.Options;

namespace Cube.Tests.Functional.Proxy;

/// <summary>Limits of the memory that concurrent requests use in the proxy: per caller, per domain and for the platform.</summary>
[Collection(FakeBackendCollection.Name)]
public sealed class InFlightTests(FakeBackendSystem system)
{
    private static readonly Guid _domain = Guid.NewGuid();
    private static readonly Guid _caller = Guid.NewGuid();

    private static InFlightCounter Budget(InFlightOptions options) => new(Options.Create(options));

    [Fact]
    public void Excess_requests_of_a_caller_or_domain_are_429_and_of_the_platform_503()
    {
        var budget = Budget(new InFlightOptions { Requests = 4, RequestsPerDomain = 3, RequestsPerCaller = 2 });
        Assert.Null(budget.TryBeginRequest(_domain, _caller));
        Assert.Null(budget.TryBeginRequest(_domain, _caller));
        Assert.Equal((429, "rate_limit_exceeded"), (budget.TryBeginRequest(_domain, _caller)?.Status, budget.TryBeginRequest(_domain, _caller)?.Code));
        Assert.Null(budget.TryBeginRequest(_domain, Guid.NewGuid()));
        Assert.Equal(429, budget.TryBeginRequest(_domain, Guid.NewGuid())?.Status);
        Assert.Null(budget.TryBeginRequest(Guid.NewGuid(), Guid.NewGuid()));
        Assert.Equal((503, "overloaded"), (budget.TryBeginRequest(Guid.NewGuid(), Guid.NewGuid())?.Status, budget.TryBeginRequest(Guid.NewGuid(), Guid.NewGuid())?.Code));

        budget.EndRequest(_domain, _caller);
        Assert.Null(budget.TryBeginRequest(_domain, _caller));
    }

    [Fact]
    public void Body_bytes_are_limited_per_caller_domain_and_platform_and_released_once()
    {
        var budget = Budget(new InFlightOptions { Bytes = 100, BytesPerDomain = 80, BytesPerCaller = 60 });
        var lease = new BodyLease(budget, _domain, _caller);
        lease.Add(60);
        Assert.Equal(429, Assert.Throws<RequestRejectedException>(() => lease.Add(1)).Error.Status);
        Assert.Equal(429, Assert.Throws<RequestRejectedException>(() => new BodyLease(budget, _domain, Guid.NewGuid()).Add(21)).Error.Status);
        var other = new BodyLease(budget, Guid.NewGuid(), Guid.NewGuid());
        other.Add(40);
        Assert.Equal(503, Assert.Throws<RequestRejectedException>(() => new BodyLease(budget, Guid.NewGuid(), Guid.NewGuid()).Add(1)).Error.Status);
        lease.Dispose();
        lease.Dispose();
        Assert.Equal((40, 100), (budget.Bytes, budget.TakePeak()));
        other.Dispose();
        Assert.Equal(0, budget.Bytes);
    }

    [Fact]
    public void A_body_with_more_values_than_the_limit_is_answered_with_413()
    {
        var body = Encoding.UTF8.GetBytes("""{"a":[1,2,3]}""");
        StrictJson.Parse(body, maxTokens: 8, reserve: null).Dispose();
        Assert.Equal((413, "request_too_large"), Assert.Throws<RequestRejectedException>(() => StrictJson.Parse(body, maxTokens: 7, reserve: null)) is { Error: var error } ? (error.Status, error.Code) : default);
    }

    [Fact]
    public async Task Large_bodies_use_bounded_memory_and_do_not_affect_other_tenants()
    {
        var cube = system.Reset();
        var (tenant, other) = (await cube.CreateTenantAsync(), await cube.CreateTenantAsync());
        Assert.Equal(200, (await cube.ChatAsync(tenant.Domain, tenant.Token)).Status);
        using var process = Process.GetProcessById(cube["Cube.Proxy"].Id);
        var before = process.WorkingSet64;
        var numbers = Encoding.ASCII.GetBytes($$"""{"model":"m","input":[{{string.Join(',', Enumerable.Repeat("1", 16_000_000))}}]}""");

        var most = 0L;
        using var end = new CancellationTokenSource();
        var watch = Task.Run(async () =>
        {
            while (!end.IsCancellationRequested)
            {
                process.Refresh();
                most = Math.Max(most, process.WorkingSet64);
                Assert.Equal(200, (await cube.ChatAsync(other.Domain, other.Token)).Status);
                await Task.Delay(20);
            }
        });
        var statuses = await Task.WhenAll(Enumerable.Range(0, 6).Select(async _ =>
        {
            using var request = new HttpRequestMessage(HttpMethod.Post, $"{tenant.Api}/embeddings") { Content = new ByteArrayContent(numbers) };
            request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", tenant.Token);
            request.Content.Headers.ContentType = new MediaTypeHeaderValue("application/json");
            try
            {
                using var response = await cube.Http.SendAsync(request);
                return (int)response.StatusCode;
            }
            catch (HttpRequestException)
            {
                // The proxy sends the error before it has read the body, then closes the connection.
                return 429;
            }
        }));
        await end.CancelAsync();
        await watch;

        Assert.All(statuses, static status => Assert.Contains(status, (int[])[413, 429]));
        Assert.True(most - before < 700L << 20, $"The proxy grew from {before >> 20} to {most >> 20} MiB.");
        await Eventually.TrueAsync(() =>
        {
            process.Refresh();
            return Task.FromResult(process.WorkingSet64 - before < 150L << 20);
        }, $"the proxy releases the memory of the bodies; before, it used {before >> 20} MiB");
    }
}
