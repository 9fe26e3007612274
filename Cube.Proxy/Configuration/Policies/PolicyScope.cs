namespace Cube.Proxy.Configuration.Policies;

/// <summary>What a policy applies to: the platform, a domain (its UUID) or a route (<c>route:</c> and its UUID).</summary>
internal static class PolicyScope
{
    public const string Platform = "platform";
    private const string RoutePrefix = "route:";

    public static string OfRoute(Guid route) => $"{RoutePrefix}{route}";

    /// <returns>The route of a scope; null for every other scope.</returns>
    public static Guid? FindRoute(string scope) =>
        scope.StartsWith(RoutePrefix, StringComparison.Ordinal) && Guid.TryParseExact(scope.AsSpan(RoutePrefix.Length), "D", out var route) ? route : null;

    /// <returns>The domain of a scope, which is written in lower case; null for every other scope.</returns>
    public static Guid? FindDomain(string scope) => Guid.TryParseExact(scope, "D", out var domain) && $"{domain}" == scope ? domain : null;
}
