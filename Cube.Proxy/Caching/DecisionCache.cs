using Microsoft.Extensions.Caching.Hybrid;

namespace Cube.Proxy.Caching;

/// <summary>
/// The cache settings for results of Identity and of the authorization engine. They are cached for four seconds, so that no decision is older than five seconds, including the time of a call. Notifications of Identity
/// remove entries by tag at once.
/// </summary>
internal static class DecisionCache
{
    public static HybridCacheEntryOptions Age { get; } = new()
    {
        Expiration = TimeSpan.FromSeconds(4),
        LocalCacheExpiration = TimeSpan.FromSeconds(4),
        Flags = HybridCacheEntryFlags.DisableDistributedCache,
    };

    /// <summary>The tags of a decision: its user's and its domain's.</summary>
    public static string[] TagsOf(Guid user, Guid domain) => [TagOfUser(user), TagOfDomain(domain)];

    public static string TagOfUser(Guid user) => $"user:{user}";

    public static string TagOfDomain(Guid domain) => $"domain:{domain}";
}
