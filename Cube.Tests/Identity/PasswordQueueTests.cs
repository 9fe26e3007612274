using System.Net;
using Cube.Identity;
using Cube.Identity.Users;
using Microsoft.Extensions.Options;

namespace Cube.Tests.Identity;

public sealed class PasswordQueueTests
{
    [Fact]
    public async Task A_flood_from_one_address_delays_another_address_by_one_turn_only()
    {
        var queue = Make(atOnce: 1, waiting: 100, perAddress: 60);
        Assert.Equal(PasswordTurn.Given, await queue.EnterAsync("flood", CancellationToken.None));
        var flood = Enumerable.Range(0, 60).Select(_ => queue.EnterAsync("flood", CancellationToken.None)).ToArray();
        var other = queue.EnterAsync("other", CancellationToken.None);
        Assert.False(other.IsCompleted);
        queue.Leave();
        await flood[0];
        queue.Leave();
        Assert.Equal(PasswordTurn.Given, await other);
        Assert.Equal(1, flood.Count(static turn => turn.IsCompleted));
        queue.Leave();
        await flood[1];
    }

    [Fact]
    public async Task An_address_and_the_whole_queue_are_full_at_their_limits_and_empty_again_afterwards()
    {
        var queue = Make(atOnce: 1, waiting: 3, perAddress: 2);
        await queue.EnterAsync("a", CancellationToken.None);
        Task<PasswordTurn>[] waiting = [queue.EnterAsync("a", CancellationToken.None), queue.EnterAsync("a", CancellationToken.None), queue.EnterAsync("b", CancellationToken.None)];
        Assert.Equal(PasswordTurn.AddressIsFull, await queue.EnterAsync("a", CancellationToken.None));
        Assert.Equal(PasswordTurn.QueueIsFull, await queue.EnterAsync("c", CancellationToken.None));
        foreach (var _ in waiting)
        {
            queue.Leave();
        }

        Assert.All(await Task.WhenAll(waiting), static turn => Assert.Equal(PasswordTurn.Given, turn));
        queue.Leave();
        Assert.Equal(PasswordTurn.Given, await queue.EnterAsync("c", CancellationToken.None));
    }

    [Fact]
    public async Task A_client_that_leaves_makes_room_and_loses_nobody_elses_turn()
    {
        var queue = Make(atOnce: 1, waiting: 2, perAddress: 1);
        await queue.EnterAsync("a", CancellationToken.None);
        using var gone = new CancellationTokenSource();
        var left = queue.EnterAsync("a", gone.Token);
        await gone.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => left);
        var next = queue.EnterAsync("b", CancellationToken.None);
        queue.Leave();
        Assert.Equal(PasswordTurn.Given, await next);
        queue.Leave();
        Assert.Equal(PasswordTurn.Given, await queue.EnterAsync("a", CancellationToken.None));
    }

    [Theory]
    [InlineData("10.1.2.3", "10.1.2.3")]
    [InlineData("::ffff:10.1.2.3", "10.1.2.3")]
    [InlineData("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64")]
    [InlineData("2001:db8:1:2:ffff::1", "2001:db8:1:2::/64")]
    public void A_client_is_an_IPv4_address_or_an_IPv6_network(string address, string expected) =>
        Assert.Equal(expected, PasswordQueue.ClientOf(IPAddress.Parse(address)));

    [Fact]
    public void Every_limit_outside_its_range_is_refused_at_the_start()
    {
        var validator = new IdentityOptionsValidator();
        Assert.True(validator.Validate(null, Valid()).Succeeded);
        foreach (var spoil in (Action<IdentityOptions>[])[
            static options => options.MaxDomainsPerUser = 0, static options => options.PasswordsAtOnce = 65, static options => options.PasswordsWaiting = 0,
            static options => options.PasswordsWaitingPerAddress = 0, static options => options.LoginFailuresPerAddress = 9])
        {
            var options = Valid();
            spoil(options);
            Assert.True(validator.Validate(null, options).Failed);
        }

        static IdentityOptions Valid() => new() { KeyEncryptionSecret = "a secret of the tests" };
    }

    private static PasswordQueue Make(int atOnce, int waiting, int perAddress) => new(Options.Create(
        new IdentityOptions { PasswordsAtOnce = atOnce, PasswordsWaiting = waiting, PasswordsWaitingPerAddress = perAddress }));
}
