namespace Cube.Authorization;

/// <summary>The notices with which Identity invalidates decisions that proxies have cached: PostgreSQL <c>NOTIFY</c> in the proxies' database.</summary>
internal static class CacheInvalidation
{
    /// <summary>The channel that proxies <c>LISTEN</c> on.</summary>
    public const string Channel = "cube_stale";

    /// <summary>The notice that invalidates every cached decision. Others invalidate those of one user or domain: <c>user:</c> or <c>domain:</c> and the id.</summary>
    public const string Everything = "*";

    /// <summary>Identity confirms that it has sent the notices of all changes that were committed at least a second before.</summary>
    public const string Confirmed = "confirmed";
}
