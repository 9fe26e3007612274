using System.Reflection;

namespace Cube.Proxy.Edge;

/// <summary>
/// Maps endpoints below a domain. Clients use two forms of a path, <c>/proxy/{domainId}/…</c> and <c>/{domainId}/…</c>; <see cref="DomainPathMiddleware"/> gives routing the first form for both.
/// </summary>
internal static class DomainRouting
{
    /// <summary>The route parameter of a model's id. It matches the rest of the path.</summary>
    public const string ModelParameter = "{model}";

    private const string Prefix = "/proxy/{domainId:guid}";

    /// <summary>The OpenAPI document contains only endpoints with a method as metadata. ASP.NET does not add that to a <see cref="RequestDelegate"/>.</summary>
    private static readonly MethodInfo _described = ((Func<HttpContext, Task>)Describe).Method;

    public static IServiceCollection AddDomainRouting(this IServiceCollection services) => services.AddSingleton<MatcherPolicy, DomainPathMatcherPolicy>();

    /// <returns>The path that routing matches for a checked path below a domain.</returns>
    public static PathString PathOf(DomainPathFeature path) => new($"/proxy{path.Canonical}");

    /// <param name="endpoints">The endpoints of the application.</param>
    /// <param name="method">The HTTP method.</param>
    /// <param name="metadata">The name, path and body format of the endpoint.</param>
    /// <param name="handler">A <see cref="RequestDelegate"/>, or a handler whose parameters ASP.NET binds.</param>
    /// <param name="configure">Adds authorization and the OpenAPI description.</param>
    public static void MapDomain(this IEndpointRouteBuilder endpoints, string method, DomainEndpointMetadata metadata, Delegate handler, Action<IEndpointConventionBuilder> configure)
    {
        // A model's id may contain slashes.
        var pattern = Prefix + metadata.Path.Replace(ModelParameter, "{**model}", StringComparison.Ordinal);
        IEndpointConventionBuilder endpoint = handler is RequestDelegate request
            ? endpoints.MapMethods(pattern, [method], request).WithMetadata(_described)
            : endpoints.MapMethods(pattern, [method], handler);
        endpoint.WithMetadata(metadata);
        configure(endpoint);
    }

    private static Task Describe(HttpContext context) => Task.CompletedTask;
}
