using Cube.Attestation;
using Cube.Attestation.Atls;
using Cube.Http2;
using Cube.Proxy.Attestation.Connections;
using Cube.Proxy.Configuration;
using Cube.Tests.Attestation.Synthetic;
using Cube.Tests.Systems;
using Microsoft.Extensions.Time.Testing;

namespace Cube.Tests.Functional.Attestation;

/// <summary>The connections of one pool: growth, shrinking, renewal, and the end of a lease. The machine allows 100 concurrent requests on a connection.</summary>
public sealed class ConnectionLifecycleTests : IAsyncLifetime
{
    private readonly FakeTimeProvider _clock = new(SyntheticAmd.Now);
    private TestAttester _machine = null!;
    private BackendConnectionPool _pool = null!;
    private bool _isUnreachable;

    public async ValueTask InitializeAsync()
    {
        _machine = await TestAttester.StartAsync();
        var dialer = TestAttester.Dialer(_clock);
        _pool = new BackendConnectionPool(
            _machine.Address, new PolicySet(Guid.Empty, Guid.Empty, "key", TestAttester.Policies, IsClosed: false),
            (address, policies, ct) => _isUnreachable ? throw new HttpRequestException("A test disconnects.") : dialer.OpenAsync(address, policies.Policies, ct), _clock);
    }

    public async ValueTask DisposeAsync()
    {
        _pool.AbortAll(new AttestationException(Codes.AtlsFrame, "The test ends."));
        await _machine.DisposeAsync();
    }

    [Fact]
    public async Task Half_of_the_capacity_in_use_opens_another_connection_and_a_minute_with_little_use_drains_one()
    {
        var first = await _pool.GetAsync(default);
        for (var i = 0; i < 50; i++)
        {
            first.Begin();
        }

        Assert.Same(first, _pool.Find());
        await Eventually.TrueAsync(() => Task.FromResult(_pool.Count == 2), "another connection is open", 5);
        Assert.NotSame(first, _pool.Find());
        for (var i = 0; i < 50; i++)
        {
            first.End();
        }

        _clock.Advance(TimeSpan.FromSeconds(50));
        _pool.RemoveExpired(_clock.GetUtcNow(), null);
        Assert.Equal(2, _pool.Count);
        _clock.Advance(TimeSpan.FromSeconds(11));
        _pool.RemoveExpired(_clock.GetUtcNow(), null);
        Assert.Equal(1, _pool.Count);
        Assert.False(first.IsOpen);
    }

    [Fact]
    public async Task Connections_are_renewed_one_after_another_so_that_the_capacity_stays()
    {
        await _pool.OpenAsync(default);
        await _pool.OpenAsync(default);
        Assert.Equal(2, _pool.Count);
        _clock.Advance(TimeSpan.FromSeconds(451));
        Assert.True(_pool.IsDueForRenewal(_clock.GetUtcNow()));
        await _pool.OpenAsync(default);
        Assert.Equal((2, true), (_pool.Count, _pool.IsDueForRenewal(_clock.GetUtcNow())));
        await _pool.OpenAsync(default);
        Assert.Equal((2, false), (_pool.Count, _pool.IsDueForRenewal(_clock.GetUtcNow())));
    }

    /// <summary>The attack: a machine that is not reachable for a new verdict keeps its earlier connection busy.</summary>
    [Fact]
    public async Task A_running_request_ends_with_the_lease_if_the_connection_cannot_be_renewed()
    {
        _machine.Hold = new TaskCompletionSource();
        var channel = await _pool.GetAsync(default);
        using var running = await channel.SendAsync(new Http2Request { Method = "POST", Authority = "machine", Path = "/", ContentType = "text/plain", Body = "x"u8.ToArray() }, default);
        Assert.True(await running.ReadAsync(new byte[100]) > 0);
        _isUnreachable = true;
        _clock.Advance(TimeSpan.FromSeconds(599));
        await Assert.ThrowsAsync<HttpRequestException>(() => _pool.OpenAsync(default));
        _pool.RemoveExpired(_clock.GetUtcNow(), null);
        Assert.True(channel.IsOpen);
        _clock.Advance(TimeSpan.FromSeconds(1));
        _pool.RemoveExpired(_clock.GetUtcNow(), null);
        var ended = await Assert.ThrowsAnyAsync<IOException>(async () => await running.ReadAsync(new byte[100]).AsTask().WaitAsync(TimeSpan.FromSeconds(5)));
        Assert.Equal(Codes.AtlsLeaseEnded, AttestationException.Find(ended)?.Code);
        Assert.Equal((0, false), (_pool.Count, channel.IsOpen));
    }

    [Fact]
    public async Task A_connection_with_a_running_response_is_not_closed_while_it_drains()
    {
        _machine.Hold = new TaskCompletionSource();
        var channel = await _pool.GetAsync(default);
        // As lists of models do: without Begin and End.
        using var running = await channel.SendAsync(new Http2Request { Method = "POST", Authority = "machine", Path = "/", ContentType = "text/plain", Body = "x"u8.ToArray() }, default);
        _pool.Retire(_clock.GetUtcNow().AddSeconds(4));
        _pool.RemoveExpired(_clock.GetUtcNow(), null);
        Assert.True(channel.IsOpen);
        _machine.Hold.SetResult();
        while (await running.ReadAsync(new byte[100]).AsTask().WaitAsync(TimeSpan.FromSeconds(5)) > 0)
        {
            // The response is complete.
        }
    }

    [Fact]
    public async Task A_retired_connection_sends_no_request()
    {
        var channel = await _pool.GetAsync(default);
        channel.Retire();
        var before = _machine.Bodies.Count;
        var rejected = await Assert.ThrowsAsync<Http2Exception>(async () => await channel.SendAsync(new Http2Request { Method = "GET", Authority = "machine", Path = "/" }, default));
        Assert.True(rejected.IsUnprocessed);
        Assert.Equal(before, _machine.Bodies.Count);
    }
}
