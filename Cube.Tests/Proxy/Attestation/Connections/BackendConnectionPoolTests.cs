using Cube.Attestation.Atls;
using Cube.Proxy.Attestation.Connections;
using Cube.Proxy.Configuration;
using Microsoft.Extensions.Time.Testing;

namespace Cube.Tests.Proxy.Attestation.Connections;

/// <summary>Connection retries and idle connections of a backend.</summary>
public sealed class BackendConnectionPoolTests
{
    private readonly FakeTimeProvider _clock = new();
    private int _attempts;

    private BackendConnectionPool CreatePool() => new(new Uri("https://machine"), new PolicySet(Guid.NewGuid(), Guid.Empty, "key", [], IsClosed: false), (_, _, _) =>
    {
        _attempts++;
        throw new AttestationException("refused", "A test refuses.");
    }, _clock);

    [Fact]
    public async Task An_idle_failed_machine_is_retried_with_doubling_delays_up_to_a_minute()
    {
        var pool = CreatePool();
        for (var second = 0; second < 600; second++)
        {
            if (pool.IsBackoffOver)
            {
                await Assert.ThrowsAsync<AttestationException>(() => pool.OpenAsync(default));
            }

            _clock.Advance(TimeSpan.FromSeconds(1));
        }

        // 1, 2, 4, 8, 16, 32 seconds, then one per minute, with jitter.
        Assert.InRange(_attempts, 12, 20);
    }

    [Fact]
    public async Task A_request_retries_a_failed_machine_within_a_second()
    {
        var pool = CreatePool();
        for (var i = 0; i < 10; i++)
        {
            await Assert.ThrowsAsync<AttestationException>(() => pool.GetAsync(default).AsTask());
            await Assert.ThrowsAsync<AttestationException>(() => pool.GetAsync(default).AsTask());
            _clock.Advance(TimeSpan.FromSeconds(1));
        }

        Assert.Equal(10, _attempts);
    }

    [Theory]
    [InlineData(1, 1, 1.2)]
    [InlineData(2, 1.6, 2.4)]
    [InlineData(7, 51, 60)]
    [InlineData(int.MaxValue, 48, 60)]
    public void The_retry_delay_grows_with_each_failure_and_has_jitter(int failures, double min, double max)
    {
        Assert.InRange(BackendConnectionPool.BackoffAfter(failures, 0).TotalSeconds, min, max);
        Assert.InRange(BackendConnectionPool.BackoffAfter(failures, 1).TotalSeconds, min, max);
    }

    [Fact]
    public void A_pool_without_requests_is_closed_and_one_with_requests_is_not()
    {
        var pool = CreatePool();
        var idle = TimeSpan.FromMinutes(10);
        _clock.Advance(TimeSpan.FromMinutes(9));
        Assert.False(pool.CloseIfIdle(idle));
        Assert.True(pool.TryUse());
        _clock.Advance(TimeSpan.FromMinutes(9));
        Assert.False(pool.CloseIfIdle(idle));
        _clock.Advance(TimeSpan.FromMinutes(1));
        Assert.True(pool.CloseIfIdle(idle));
        Assert.False(pool.TryUse());
    }
}
