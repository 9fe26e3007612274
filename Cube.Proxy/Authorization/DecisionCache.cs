using Cube.Proxy.Authentication;
using Microsoft.Extensions.Caching.Hybrid;

namespace Cube.Proxy.Authorization;

/// <summary>
/// How decisions are kept: four seconds at most, so that with the time of a question nothing is older than five, and dropped at once by
/// tag when Identity says that something has changed.
/// </summary>
internal static class DecisionCache
{
    public static HybridCacheEntryOptions Age { get; } = new()
    {
        Expiration = TimeSpan.FromSeconds(4),
        LocalCacheExpiration = TimeSpan.FromSeconds(4),
        Flags = HybridCacheEntryFlags.DisableDistributedCache,
    };

    /// <summary>Every decision falls with what was said of its user and of its domain.</summary>
    public static string[] TagsOf(Caller caller, Guid domain) => [caller.Tag, TagOfDomain(domain)];

    public static string TagOfUser(Guid user) => $"user:{user}";

    public static string TagOfDomain(Guid domain) => $"domain:{domain}";
}
