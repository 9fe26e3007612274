using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text;
using Cube.Http2;
using Cube.Tests.Systems;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.Logging;

namespace Cube.Tests.Http2;

/// <summary>The client against Kestrel.</summary>
public sealed class Http2ConnectionTests : IAsyncLifetime
{
    private readonly TaskCompletionSource _aborted = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource _hold = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private WebApplication _server = null!;
    private long _sent;

    public async ValueTask InitializeAsync()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(static kestrel =>
        {
            kestrel.Limits.MaxRequestBodySize = null;
            // The client says https, since its stream is usually TLS.
            kestrel.AllowAlternateSchemes = true;
            kestrel.Limits.Http2.MaxStreamsPerConnection = 600;
            kestrel.Limits.MinResponseDataRate = null;
            kestrel.Listen(IPAddress.Loopback, 0, static listen => listen.Protocols = HttpProtocols.Http2);
        });
        _server = builder.Build();
        _server.MapPost("/echo", static async context =>
        {
            context.Response.ContentType = context.Request.ContentType;
            context.Response.Headers["x-length"] = context.Request.ContentLength?.ToString(System.Globalization.CultureInfo.InvariantCulture);
            context.Response.Headers["x-seen"] = context.Request.Headers["x-seen"];
            await context.Request.Body.CopyToAsync(context.Response.Body);
        });
        _server.MapPost("/ignore", static context => context.Response.WriteAsync("not read"));
        _server.MapGet("/status/{status:int}", static (int status) => Results.StatusCode(status));
        _server.MapGet("/wait", async context =>
        {
            context.RequestAborted.Register(() => _aborted.TrySetResult());
            await _hold.Task.WaitAsync(context.RequestAborted);
        });
        _server.MapGet("/flood", async context =>
        {
            context.RequestAborted.Register(() => _aborted.TrySetResult());
            var block = new byte[16 << 10];
            for (var i = 0; i < 640; i++)
            {
                await context.Response.Body.WriteAsync(block, context.RequestAborted);
                Interlocked.Add(ref _sent, block.Length);
            }
        });
        _server.MapGet("/reset", static async context =>
        {
            await context.Response.Body.WriteAsync("part"u8.ToArray());
            await Task.Delay(200);
            context.Features.GetRequiredFeature<IHttpResetFeature>().Reset(2);
        });
        _server.MapGet("/short", static async context =>
        {
            context.Response.ContentLength = 10;
            await context.Response.Body.WriteAsync("part"u8.ToArray());
        });
        _server.MapGet("/close", static context =>
        {
            context.Features.GetRequiredFeature<IConnectionLifetimeFeature>().Abort();
            return Task.CompletedTask;
        });
        _server.MapGet("/informed", static async context =>
        {
            context.Response.Headers["x-long"] = new string('h', 20_000);
            await context.Response.WriteAsync("done");
        });
        await _server.StartAsync();
    }

    public async ValueTask DisposeAsync()
    {
        _hold.TrySetResult();
        await _server.DisposeAsync();
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(16_384)]
    [InlineData(65_536)]
    [InlineData(5_000_000)]
    public async Task A_body_of_any_size_arrives_and_returns(int size)
    {
        using var connection = await ConnectAsync();
        var body = RandomNumberGenerator.GetBytes(size);
        using var response = await connection.SendAsync(Post("/echo", body, new HeaderField("x-seen", "a value")), default);
        Assert.Equal((200, "application/json", size.ToString(System.Globalization.CultureInfo.InvariantCulture), "a value"), (response.Status, response.ContentType, response.Find("x-length"), response.Find("x-seen")));
        Assert.Equal(body, await ReadAsync(response));
    }

    [Fact]
    public async Task Concurrent_requests_get_their_own_responses()
    {
        using var connection = await ConnectAsync();
        await connection.Ready;
        await Parallel.ForAsync(0, 2000, new ParallelOptions { MaxDegreeOfParallelism = 300 }, async (i, ct) =>
        {
            var body = Encoding.ASCII.GetBytes(string.Concat(Enumerable.Repeat($"{i};", 1 + (i % 900))));
            using var response = await connection.SendAsync(Post("/echo", body), ct);
            Assert.Equal(body, await ReadAsync(response));
        });
        Assert.Equal(0, connection.Running);
        Assert.True(connection.AcceptsRequests);
    }

    [Theory]
    [InlineData(204)]
    [InlineData(404)]
    [InlineData(503)]
    public async Task A_response_without_a_body_has_its_status(int status)
    {
        using var connection = await ConnectAsync();
        using var response = await connection.SendAsync(Get($"/status/{status}"), default);
        Assert.Equal(status, response.Status);
        Assert.Empty(await ReadAsync(response));
    }

    [Fact]
    public async Task Headers_that_need_several_frames_are_read()
    {
        using var connection = await ConnectAsync();
        using var response = await connection.SendAsync(Get("/informed"), default);
        Assert.Equal(20_000, response.Find("x-long")?.Length);
        Assert.Equal("done"u8.ToArray(), await ReadAsync(response));
    }

    [Fact]
    public async Task A_server_that_responds_without_reading_a_large_body_does_not_disturb_other_requests()
    {
        using var connection = await ConnectAsync();
        using (var response = await connection.SendAsync(Post("/ignore", new byte[20_000_000]), default))
        {
            Assert.Equal("not read"u8.ToArray(), await ReadAsync(response));
        }

        using var next = await connection.SendAsync(Post("/echo", "next"u8.ToArray()), default);
        Assert.Equal("next"u8.ToArray(), await ReadAsync(next));
    }

    [Fact]
    public async Task A_response_that_is_not_read_does_not_fill_the_memory_or_delay_other_requests()
    {
        using var connection = await ConnectAsync(new Http2Options { StreamWindow = 256 << 10 });
        using var response = await connection.SendAsync(Get("/flood"), default);
        await Task.Delay(500);
        var before = Interlocked.Read(ref _sent);
        // The window, and what Kestrel buffers.
        Assert.InRange(before, 256 << 10, 1 << 20);
        using var other = await connection.SendAsync(Post("/echo", "other"u8.ToArray()), default);
        Assert.Equal("other"u8.ToArray(), await ReadAsync(other));
        Assert.Equal(640 * (16 << 10), (await ReadAsync(response)).Length);
    }

    [Fact]
    public async Task Cancellation_before_the_response_ends_the_request_at_the_server()
    {
        using var connection = await ConnectAsync();
        using var cancel = new CancellationTokenSource(100);
        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () => await connection.SendAsync(Get("/wait"), cancel.Token));
        await _aborted.Task.WaitAsync(TimeSpan.FromSeconds(5));
        Assert.Equal((0, true), (connection.Running, connection.AcceptsRequests));
    }

    [Fact]
    public async Task Cancellation_while_the_response_is_read_ends_the_request_at_the_server()
    {
        using var connection = await ConnectAsync();
        using var cancel = new CancellationTokenSource();
        using (var response = await connection.SendAsync(Get("/flood"), cancel.Token))
        {
            await response.ReadAsync(new byte[10]);
            await cancel.CancelAsync();
            await Assert.ThrowsAnyAsync<OperationCanceledException>(() => ReadAsync(response));
        }

        await _aborted.Task.WaitAsync(TimeSpan.FromSeconds(5));
    }

    [Fact]
    public async Task A_response_that_is_disposed_early_ends_the_request_at_the_server()
    {
        using var connection = await ConnectAsync();
        (await connection.SendAsync(Get("/flood"), default)).Dispose();
        await _aborted.Task.WaitAsync(TimeSpan.FromSeconds(5));
        Assert.Equal(0, connection.Running);
    }

    [Fact]
    public async Task Data_before_a_reset_is_read_and_then_the_reset_is_an_error()
    {
        using var connection = await ConnectAsync();
        using var response = await connection.SendAsync(Get("/reset"), default);
        await Task.Delay(500);
        var buffer = new byte[100];
        Assert.Equal(4, await response.ReadAsync(buffer));
        var error = await Assert.ThrowsAsync<Http2Exception>(async () => await response.ReadAsync(buffer));
        Assert.False(error.IsUnprocessed);
        Assert.True(connection.AcceptsRequests);
    }

    [Fact]
    public async Task A_response_that_is_shorter_than_its_length_is_an_error()
    {
        using var connection = await ConnectAsync();
        using var response = await connection.SendAsync(Get("/short"), default);
        await Assert.ThrowsAnyAsync<IOException>(() => ReadAsync(response));
    }

    [Fact]
    public async Task A_lost_connection_ends_all_requests_and_takes_no_further_ones()
    {
        using var connection = await ConnectAsync();
        var waiting = connection.SendAsync(Get("/wait"), default).AsTask();
        await Assert.ThrowsAnyAsync<IOException>(async () => await connection.SendAsync(Get("/close"), default));
        await Assert.ThrowsAnyAsync<IOException>(() => waiting);
        Assert.Equal((false, false, 0), (connection.IsOpen, connection.AcceptsRequests, connection.Running));
        Assert.True((await Assert.ThrowsAsync<Http2Exception>(async () => await connection.SendAsync(Get("/wait"), default))).IsUnprocessed);
    }

    [Fact]
    public async Task A_server_that_stops_gets_no_further_requests_and_running_ones_end_normally()
    {
        using var connection = await ConnectAsync();
        var running = connection.SendAsync(Get("/wait"), default).AsTask();
        await Task.Delay(200);
        var stopping = _server.StopAsync();
        await Eventually.TrueAsync(() => Task.FromResult(!connection.AcceptsRequests), "the connection takes no further requests", 5);
        Assert.True((await Assert.ThrowsAsync<Http2Exception>(async () => await connection.SendAsync(Get("/wait"), default))).IsUnprocessed);
        _hold.SetResult();
        using var response = await running;
        Assert.Equal(200, response.Status);
        await stopping;
    }

    [Fact]
    public async Task The_limit_of_the_server_for_concurrent_requests_is_kept()
    {
        using var connection = await ConnectAsync();
        await connection.Ready;
        Assert.Equal(600, connection.MaxStreams);
        var running = Enumerable.Range(0, 600).Select(_ => connection.SendAsync(Get("/wait"), default).AsTask()).ToList();
        Assert.False(connection.AcceptsRequests);
        Assert.True((await Assert.ThrowsAsync<Http2Exception>(async () => await connection.SendAsync(Get("/wait"), default))).IsUnprocessed);
        _hold.SetResult();
        foreach (var response in await Task.WhenAll(running))
        {
            Assert.Equal(200, response.Status);
            response.Dispose();
        }

        Assert.True(connection.AcceptsRequests);
    }

    [Fact]
    public async Task An_aborted_connection_fails_requests_with_the_reason_and_discards_what_has_arrived()
    {
        using var connection = await ConnectAsync();
        using var response = await connection.SendAsync(Get("/flood"), default);
        await Task.Delay(200);
        connection.Abort(new IOException("the reason"));
        Assert.Equal("the reason", (await Assert.ThrowsAsync<IOException>(async () => await response.ReadAsync(new byte[10]))).Message);
    }

    private async Task<Http2Connection> ConnectAsync(Http2Options? options = null)
    {
        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        await socket.ConnectAsync(IPAddress.Loopback, new Uri(_server.Urls.Single()).Port);
        return Http2Connection.Start(new NetworkStream(socket, ownsSocket: true), options);
    }

    private static Http2Request Get(string path) => new() { Method = "GET", Authority = "localhost", Path = path };

    private static Http2Request Post(string path, byte[] body, params HeaderField[] headers) =>
        new() { Method = "POST", Authority = "localhost", Path = path, ContentType = "application/json", Body = body, Headers = headers };

    private static async Task<byte[]> ReadAsync(Http2Response response)
    {
        using var all = new MemoryStream();
        await response.AsStream().CopyToAsync(all);
        return all.ToArray();
    }
}
