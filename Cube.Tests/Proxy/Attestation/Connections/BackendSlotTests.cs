using Cube.Attestation.Atls;
using Cube.Proxy.Attestation.Connections;
using Cube.Proxy.Configuration;
using Microsoft.Extensions.Time.Testing;

namespace Cube.Tests.Proxy.Attestation.Connections;

/// <summary>Connection retries and idle connections of a backend.</summary>
public sealed class BackendSlotTests
{
    private readonly FakeTimeProvider _clock = new();
    private int _dialed;

    private BackendSlot Slot() => new(new Uri("https://machine"), new PolicySet(Guid.NewGuid(), Guid.Empty, "key", [], IsClosed: false), (_, _, _) =>
    {
        _dialed++;
        throw new AttestationException("refused", "A test refuses.");
    }, _clock);

    [Fact]
    public async Task An_idle_failed_machine_is_retried_with_doubling_delays_up_to_a_minute()
    {
        var slot = Slot();
        for (var second = 0; second < 600; second++)
        {
            if (slot.MayDial)
            {
                await Assert.ThrowsAsync<AttestationException>(() => slot.OpenAsync(default));
            }

            _clock.Advance(TimeSpan.FromSeconds(1));
        }

        // 1, 2, 4, 8, 16, 32 seconds, then one per minute, with jitter.
        Assert.InRange(_dialed, 12, 20);
    }

    [Fact]
    public async Task A_request_retries_a_failed_machine_within_a_second()
    {
        var slot = Slot();
        for (var i = 0; i < 10; i++)
        {
            await Assert.ThrowsAsync<AttestationException>(() => slot.GetAsync(default).AsTask());
            await Assert.ThrowsAsync<AttestationException>(() => slot.GetAsync(default).AsTask());
            _clock.Advance(TimeSpan.FromSeconds(1));
        }

        Assert.Equal(10, _dialed);
    }

    [Theory]
    [InlineData(1, 1, 1.2)]
    [InlineData(2, 1.6, 2.4)]
    [InlineData(7, 51, 60)]
    [InlineData(int.MaxValue, 48, 60)]
    public void The_retry_delay_grows_with_each_failure_and_has_jitter(int failures, double least, double most)
    {
        Assert.InRange(BackendSlot.BackoffAfter(failures, 0).TotalSeconds, least, most);
        Assert.InRange(BackendSlot.BackoffAfter(failures, 1).TotalSeconds, least, most);
    }

    [Fact]
    public void A_slot_without_requests_is_closed_and_one_with_requests_is_not()
    {
        var slot = Slot();
        var idle = TimeSpan.FromMinutes(10);
        _clock.Advance(TimeSpan.FromMinutes(9));
        Assert.False(slot.CloseIfIdle(idle));
        Assert.True(slot.TryUse());
        _clock.Advance(TimeSpan.FromMinutes(9));
        Assert.False(slot.CloseIfIdle(idle));
        _clock.Advance(TimeSpan.FromMinutes(1));
        Assert.True(slot.CloseIfIdle(idle));
        Assert.False(slot.TryUse());
    }
}
