namespace Cube.Authorization;

/// <summary>The notices with which Identity invalidates decisions that proxies have cached: PostgreSQL <c>NOTIFY</c> in the proxies' database.</summary>
internal static class CacheInvalidation
{
    /// <summary>The channel that proxies <c>LISTEN</c> on.</summary>
    public const string Channel = "cube_stale";

    /// <summary>The notice that invalidates every cached decision. Any other notice is the cache tag of the decisions that it invalidates.</summary>
    public const string Everything = "*";
}
