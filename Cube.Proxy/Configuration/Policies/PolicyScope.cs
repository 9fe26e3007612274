namespace Cube.Proxy.Configuration.Policies;

/// <summary>The scope of a policy: <c>platform</c>, a domain (its UUID in lower case) or a route (<c>route:</c> and its UUID).</summary>
internal static class PolicyScope
{
    public const string Platform = "platform";
    private const string RoutePrefix = "route:";

    public static string OfRoute(Guid route) => $"{RoutePrefix}{route}";

    /// <returns>Null if the scope is not a route.</returns>
    public static Guid? FindRoute(string scope) =>
        scope.StartsWith(RoutePrefix, StringComparison.Ordinal) && Guid.TryParseExact(scope.AsSpan(RoutePrefix.Length), "D", out var route) ? route : null;

    /// <returns>Null if the scope is not a domain.</returns>
    public static Guid? FindDomain(string scope) => Guid.TryParseExact(scope, "D", out var domain) && $"{domain}" == scope ? domain : null;
}
