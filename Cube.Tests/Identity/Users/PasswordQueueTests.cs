using System.Net;
using Cube.Identity.Configuration;
using Cube.Identity.Users;
using Microsoft.Extensions.Options;

namespace Cube.Tests.Identity.Users;

public sealed class PasswordQueueTests
{
    [Fact]
    public async Task A_flood_from_one_address_delays_another_address_by_one_turn()
    {
        var queue = Make(atOnce: 1, waiting: 100, perAddress: 60);
        Assert.Equal(PasswordQueueResult.Acquired, await queue.AcquireAsync("flood", CancellationToken.None));
        var flood = Enumerable.Range(0, 60).Select(_ => queue.AcquireAsync("flood", CancellationToken.None)).ToArray();
        var other = queue.AcquireAsync("other", CancellationToken.None);
        Assert.False(other.IsCompleted);
        queue.Release();
        await flood[0];
        queue.Release();
        Assert.Equal(PasswordQueueResult.Acquired, await other);
        Assert.Equal(1, flood.Count(static turn => turn.IsCompleted));
        queue.Release();
        await flood[1];
    }

    [Fact]
    public async Task The_queue_of_an_address_and_the_whole_queue_are_limited()
    {
        var queue = Make(atOnce: 1, waiting: 3, perAddress: 2);
        await queue.AcquireAsync("a", CancellationToken.None);
        Task<PasswordQueueResult>[] waiting = [queue.AcquireAsync("a", CancellationToken.None), queue.AcquireAsync("a", CancellationToken.None), queue.AcquireAsync("b", CancellationToken.None)];
        Assert.Equal(PasswordQueueResult.AddressQueueFull, await queue.AcquireAsync("a", CancellationToken.None));
        Assert.Equal(PasswordQueueResult.QueueFull, await queue.AcquireAsync("c", CancellationToken.None));
        foreach (var _ in waiting)
        {
            queue.Release();
        }

        Assert.All(await Task.WhenAll(waiting), static turn => Assert.Equal(PasswordQueueResult.Acquired, turn));
        queue.Release();
        Assert.Equal(PasswordQueueResult.Acquired, await queue.AcquireAsync("c", CancellationToken.None));
    }

    [Fact]
    public async Task A_disconnected_client_frees_its_place_in_the_queue()
    {
        var queue = Make(atOnce: 1, waiting: 2, perAddress: 1);
        await queue.AcquireAsync("a", CancellationToken.None);
        using var gone = new CancellationTokenSource();
        var left = queue.AcquireAsync("a", gone.Token);
        await gone.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => left);
        var next = queue.AcquireAsync("b", CancellationToken.None);
        queue.Release();
        Assert.Equal(PasswordQueueResult.Acquired, await next);
        queue.Release();
        Assert.Equal(PasswordQueueResult.Acquired, await queue.AcquireAsync("a", CancellationToken.None));
    }

    [Theory]
    [InlineData("10.1.2.3", "10.1.2.3")]
    [InlineData("::ffff:10.1.2.3", "10.1.2.3")]
    [InlineData("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64")]
    [InlineData("2001:db8:1:2:ffff::1", "2001:db8:1:2::/64")]
    public void A_client_key_is_an_IPv4_address_or_an_IPv6_network(string address, string expected) =>
        Assert.Equal(expected, PasswordQueue.ClientKey(IPAddress.Parse(address)));

    private static PasswordQueue Make(int atOnce, int waiting, int perAddress) => new(Options.Create(
        new IdentityOptions { PasswordsAtOnce = atOnce, PasswordsWaiting = waiting, PasswordsWaitingPerAddress = perAddress }));
}
