using System.Net.Http.Headers;
using System.Text;
using System.Text.RegularExpressions;
using Cube.Tests.Systems;
using Microsoft.AspNetCore.Http;

namespace Cube.Tests.Functional.Proxy;

[Collection(FakeBackendCollectionDefinition.Name)]
public sealed class StreamingTests(FakeBackendSystem system)
{
    private readonly CubeSystem _cube = system.Reset();

    [Fact]
    public async Task Each_event_is_forwarded_before_the_next_one_is_generated()
    {
        var tenant = await _cube.CreateTenantAsync();
        var seen = new SemaphoreSlim(0);
        system.Backend.Answer = async context =>
        {
            context.Response.ContentType = "text/event-stream";
            for (var i = 0; i < 10; i++)
            {
                await context.Response.WriteAsync(FakeBackend.Event(i));
                await context.Response.Body.FlushAsync();
                // The client must receive this event before the next one exists. The test fails if any hop buffers the stream.
                Assert.True(await seen.WaitAsync(TimeSpan.FromSeconds(10)));
            }

            await context.Response.WriteAsync(FakeBackend.End);
        };

        using var response = await _cube.SendRawAsync(HttpMethod.Post, $"{tenant.Api}/chat/completions", tenant.Token, TenantIsolationTests.StreamedChat);
        Assert.Equal("text/event-stream; charset=utf-8", response.Content.Headers.ContentType!.ToString());
        Assert.Equal("no", response.Headers.GetValues("x-accel-buffering").Single());
        Assert.Contains("no-transform", response.Headers.CacheControl!.ToString(), StringComparison.Ordinal);
        Assert.Null(response.Content.Headers.ContentLength);
        using var reader = new StreamReader(await response.Content.ReadAsStreamAsync());
        var text = new StringBuilder();
        while (await reader.ReadLineAsync() is { } line)
        {
            text.Append(line).Append('\n');
            if (line.Contains("\"delta\":{\"content\"", StringComparison.Ordinal))
            {
                seen.Release();
            }
        }

        var deltas = Regex.Matches(text.ToString(), "\"delta\":(\\{[^}]*\\})").Select(static match => match.Groups[1].Value);
        Assert.Equal(["{\"role\":\"assistant\",\"content\":\"\"}", .. Enumerable.Range(0, 10).Select(static i => $"{{\"content\":\"t{i} \"}}"), "{}"], deltas);
        Assert.EndsWith("\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n", text.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    [Trait("Conformance", "ST-04")]
    public async Task Ten_events_over_half_a_second_arrive_in_at_least_nine_reads()
    {
        var tenant = await _cube.CreateTenantAsync();
        system.Backend.Answer = async context =>
        {
            context.Response.ContentType = "text/event-stream";
            for (var i = 0; i < 10; i++)
            {
                await context.Response.WriteAsync(FakeBackend.Event(i));
                await context.Response.Body.FlushAsync();
                await Task.Delay(50);
            }

            await context.Response.WriteAsync(FakeBackend.End);
        };
        using var response = await _cube.SendRawAsync(HttpMethod.Post, $"{tenant.Api}/chat/completions", tenant.Token, TenantIsolationTests.StreamedChat);
        await using var stream = await response.Content.ReadAsStreamAsync();
        var (reads, buffer) = (0, new byte[65_536]);
        while (await stream.ReadAsync(buffer) > 0)
        {
            reads++;
        }

        Assert.True(reads >= 9, $"{reads} reads");
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    [Trait("Conformance", "CA-01"), Trait("Conformance", "CA-03")]
    public async Task A_client_disconnect_cancels_the_backend_request(bool midStream)
    {
        var tenant = await _cube.CreateTenantAsync();
        var (begun, ended) = (new TaskCompletionSource(), new TaskCompletionSource());
        system.Backend.Answer = async context =>
        {
            if (midStream)
            {
                context.Response.ContentType = "text/event-stream";
                await context.Response.WriteAsync(FakeBackend.Event(0));
                await context.Response.Body.FlushAsync();
            }

            context.RequestAborted.Register(ended.SetResult);
            begun.SetResult();
            await Task.Delay(TimeSpan.FromSeconds(60), context.RequestAborted).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        };

        using var leave = new CancellationTokenSource();
        using var request = new HttpRequestMessage(HttpMethod.Post, $"{tenant.Api}/chat/completions")
        {
            Content = new StringContent("""{"model":"m","stream":true,"messages":[{"role":"user","content":"hi"}]}""", new MediaTypeHeaderValue("application/json")),
        };
        request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", tenant.Token);
        var exchange = _cube.Http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, leave.Token);
        await begun.Task.WaitAsync(TimeSpan.FromSeconds(10));
        using var response = midStream ? await exchange : null;

        await leave.CancelAsync();
        response?.Dispose();

        await ended.Task.WaitAsync(TimeSpan.FromSeconds(5));
    }

    [Fact]
    public async Task A_backend_crash_during_a_stream_never_ends_the_stream_normally()
    {
        var tenant = await _cube.CreateTenantAsync();
        var seen = new TaskCompletionSource();
        system.Backend.Answer = async context =>
        {
            context.Response.ContentType = "text/event-stream";
            await context.Response.WriteAsync(FakeBackend.Event(0));
            await context.Response.Body.FlushAsync();
            await seen.Task;
            context.Abort();
        };
        using var response = await _cube.SendRawAsync(HttpMethod.Post, $"{tenant.Api}/chat/completions", tenant.Token, TenantIsolationTests.StreamedChat);
        Assert.Equal(200, (int)response.StatusCode);
        await using var stream = await response.Content.ReadAsStreamAsync();
        using var received = new MemoryStream();
        received.WriteByte((byte)stream.ReadByte());
        seen.SetResult();
        await Assert.ThrowsAnyAsync<IOException>(() => stream.CopyToAsync(received));
        Assert.DoesNotContain("[DONE]", Encoding.UTF8.GetString(received.ToArray()), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_hundred_and_fifty_streams_run_concurrently()
    {
        var tenant = await _cube.CreateTenantAsync();
        var (all, running) = (new TaskCompletionSource(), 0);
        system.Backend.Answer = async context =>
        {
            context.Response.ContentType = "text/event-stream";
            await context.Response.WriteAsync(FakeBackend.Event(0));
            await context.Response.Body.FlushAsync();
            if (Interlocked.Increment(ref running) == 150)
            {
                all.SetResult();
            }

            await all.Task.WaitAsync(TimeSpan.FromSeconds(30));
            await context.Response.WriteAsync(FakeBackend.End);
        };
        var bodies = await Task.WhenAll(Enumerable.Range(0, 150).Select(async _ =>
        {
            using var response = await _cube.SendRawAsync(HttpMethod.Post, $"{tenant.Api}/chat/completions", tenant.Token, TenantIsolationTests.StreamedChat);
            return await response.Content.ReadAsStringAsync();
        }));
        Assert.All(bodies, static body => Assert.EndsWith("data: [DONE]\n\n", body, StringComparison.Ordinal));
    }
}
