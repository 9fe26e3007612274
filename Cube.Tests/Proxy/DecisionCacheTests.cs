using Cube.Proxy.Caching;
using Microsoft.Extensions.Time.Testing;

namespace Cube.Tests.Proxy;

public sealed class DecisionCacheTests
{
    private static readonly DecisionKey _key = new(DecisionKind.Action, Guid.NewGuid(), Guid.NewGuid(), Guid.NewGuid(), "read");
    private static readonly DecisionKey _token = new(DecisionKind.PersonalAccessToken, Guid.Empty, Guid.Empty, Guid.Empty, "hash");
    private readonly FakeTimeProvider _time = new();
    private readonly DecisionCache _cache;
    private int _calls;

    public DecisionCacheTests() => _cache = new DecisionCache(_time);

    [Fact]
    public async Task Without_confirmations_a_decision_is_used_for_four_seconds()
    {
        Assert.Equal("1", await DecideAsync(_key));
        _time.Advance(TimeSpan.FromSeconds(3.9));
        Assert.Equal("1", await DecideAsync(_key));
        _time.Advance(TimeSpan.FromSeconds(0.1));
        Assert.Equal("2", await DecideAsync(_key));
    }

    [Fact]
    public async Task While_confirmations_arrive_a_decision_is_used_for_five_minutes()
    {
        _cache.Confirm();
        Assert.Equal("1", await DecideAsync(_key));
        for (var second = 0; second < 299; second++)
        {
            _time.Advance(TimeSpan.FromSeconds(1));
            _cache.Confirm();
        }

        Assert.Equal("1", await DecideAsync(_key));
        _time.Advance(TimeSpan.FromSeconds(1));
        Assert.Equal("2", await DecideAsync(_key));
    }

    [Fact]
    public async Task When_confirmations_stop_an_older_decision_expires_within_three_seconds()
    {
        _cache.Confirm();
        await DecideAsync(_key);
        for (var second = 0; second < 60; second++)
        {
            _time.Advance(TimeSpan.FromSeconds(1));
            _cache.Confirm();
        }

        _time.Advance(TimeSpan.FromSeconds(2.9));
        Assert.Equal("1", await DecideAsync(_key));
        _time.Advance(TimeSpan.FromSeconds(0.1));
        Assert.Equal("2", await DecideAsync(_key));
    }

    [Fact]
    public async Task A_personal_access_token_can_expire_so_confirmations_do_not_prolong_its_result()
    {
        _cache.Confirm();
        await DecideAsync(_token);
        _time.Advance(TimeSpan.FromSeconds(4));
        _cache.Confirm();
        Assert.Equal("2", await DecideAsync(_token));
    }

    /// <summary>The attack on time: a confirmation that was delayed on its way overtakes the notification of a change.</summary>
    [Fact]
    public async Task A_confirmation_after_a_pause_does_not_revive_decisions()
    {
        _cache.Confirm();
        await DecideAsync(_key);
        _time.Advance(TimeSpan.FromSeconds(25));
        _cache.Confirm();
        Assert.Equal("2", await DecideAsync(_key));
    }

    [Fact]
    public async Task A_rejected_session_is_asked_again_after_four_seconds()
    {
        _cache.Confirm();
        var rejected = new Rejected();
        await _cache.GetAsync(_key, rejected, static (result, _) => Task.FromResult(result), default);
        _time.Advance(TimeSpan.FromSeconds(2));
        _cache.Confirm();
        _time.Advance(TimeSpan.FromSeconds(2));
        Assert.NotSame(rejected, await _cache.GetAsync(_key, 0, static (_, _) => Task.FromResult(new Rejected()), default));
    }

    private sealed class Rejected : IBriefResult
    {
        public bool IsBrief => true;
    }

    [Fact]
    public async Task A_new_connection_for_notifications_removes_all_decisions_and_needs_a_confirmation()
    {
        _cache.Confirm();
        await DecideAsync(_key);
        _cache.Reset();
        Assert.Equal("2", await DecideAsync(_key));
        _time.Advance(TimeSpan.FromSeconds(4));
        Assert.Equal("3", await DecideAsync(_key));
    }

    [Fact]
    public async Task A_change_removes_the_decisions_about_its_user_or_domain_and_no_others()
    {
        var other = _key with { User = Guid.NewGuid(), Domain = Guid.NewGuid() };
        await DecideAsync(_key);
        await DecideAsync(other);
        await DecideAsync(_token);
        _cache.RemoveUser(_key.User);
        Assert.Equal(("4", "2", "5"), (await DecideAsync(_key), await DecideAsync(other), await DecideAsync(_token)));
        _cache.RemoveDomain(other.Domain);
        Assert.Equal(("4", "6", "5"), (await DecideAsync(_key), await DecideAsync(other), await DecideAsync(_token)));
    }

    [Fact]
    public async Task A_decision_that_was_removed_during_its_call_is_not_stored()
    {
        var call = new TaskCompletionSource<string>();
        var waiting = _cache.GetAsync(_key, call, static (source, _) => source.Task, default).AsTask();
        _cache.RemoveDomain(_key.Domain);
        call.SetResult("old");
        Assert.Equal("old", await waiting);
        Assert.Equal("1", await DecideAsync(_key));
    }

    [Fact]
    public async Task Concurrent_requests_share_one_call_and_its_error_is_not_stored()
    {
        var call = new TaskCompletionSource<string>();
        var waiting = Enumerable.Range(0, 50).Select(_ => _cache.GetAsync(_key, (Source: call, Test: this), static (state, _) =>
        {
            state.Test._calls++;
            return state.Source.Task;
        }, default).AsTask()).ToList();
        call.SetException(new IOException("lost"));
        foreach (var task in waiting)
        {
            await Assert.ThrowsAsync<IOException>(() => task);
        }

        Assert.Equal(1, _calls);
        Assert.Equal("2", await DecideAsync(_key));
    }

    [Fact]
    public async Task A_request_that_is_canceled_does_not_end_the_call_of_others()
    {
        var call = new TaskCompletionSource<string>();
        using var canceled = new CancellationTokenSource();
        var first = _cache.GetAsync(_key, call, static (source, _) => source.Task, canceled.Token).AsTask();
        var second = _cache.GetAsync(_key, call, static (source, _) => source.Task, default).AsTask();
        await canceled.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => first);
        call.SetResult("shared");
        Assert.Equal("shared", await second);
    }

    [Fact]
    public async Task A_hit_allocates_nothing()
    {
        await DecideAsync(_key);
        // The first hits can allocate for the runtime.
        for (var i = 0; i < 10; i++)
        {
            Hit();
        }

        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var i = 0; i < 100; i++)
        {
            Hit();
        }

        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);

        void Hit()
        {
            var result = _cache.GetAsync(_key, this, static (_, _) => Task.FromResult("unused"), default);
            Assert.True(result.IsCompletedSuccessfully && result.Result == "1");
        }
    }

    private async Task<string> DecideAsync(DecisionKey key) =>
        await _cache.GetAsync(key, this, static (test, _) => Task.FromResult($"{++test._calls}"), default);
}
