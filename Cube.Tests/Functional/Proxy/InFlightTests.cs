using System.Diagnostics;
using System.Net.Http.Headers;
using System.Text;
using Cube.Tests.Systems;

namespace Cube.Tests.Functional.Proxy;

/// <summary>The memory of the proxy for large bodies in the running system.</summary>
[Collection(FakeBackendCollectionDefinition.Name)]
public sealed class InFlightTests(FakeBackendSystem system)
{
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
