using System.Reflection;

namespace Cube.Proxy.Edge;

/// <summary>Maps endpoints below a domain, in both forms of its path: <c>/proxy/{domainId}/…</c> and <c>/{domainId}/…</c>.</summary>
internal static class DomainRouting
{
    /// <summary>The route parameter of a model's id. It matches the rest of the path.</summary>
    public const string ModelParameter = "{model}";

    private const string Constraint = "domain";

    /// <summary>The form that the OpenAPI document describes.</summary>
    private const string DescribedForm = "/proxy/{domainId:domain}";

    /// <summary>The OpenAPI document contains only endpoints with a method as metadata. ASP.NET does not add that to a <see cref="RequestDelegate"/>.</summary>
    private static readonly MethodInfo _described = ((Func<HttpContext, Task>)Describe).Method;

    private static readonly string[] _forms = [DescribedForm, "/{domainId:domain}"];

    public static IServiceCollection AddDomainRouting(this IServiceCollection services) =>
        services.Configure<RouteOptions>(static options => options.SetParameterPolicy<DomainIdConstraint>(Constraint));

    /// <param name="endpoints">The endpoints of the application.</param>
    /// <param name="method">The HTTP method.</param>
    /// <param name="metadata">The name, path and body format of the endpoint.</param>
    /// <param name="handler">A <see cref="RequestDelegate"/>, or a handler whose parameters ASP.NET binds.</param>
    /// <param name="configure">Adds authorization and the OpenAPI description to each of the two routes.</param>
    public static void MapDomain(this IEndpointRouteBuilder endpoints, string method, DomainEndpointMetadata metadata, Delegate handler, Action<IEndpointConventionBuilder> configure)
    {
        foreach (var form in _forms)
        {
            // A model's id may contain slashes.
            var pattern = form + metadata.Path.Replace(ModelParameter, "{**model}", StringComparison.Ordinal);
            IEndpointConventionBuilder endpoint = handler is RequestDelegate request
                ? endpoints.MapMethods(pattern, [method], request).WithMetadata(_described)
                : endpoints.MapMethods(pattern, [method], handler);
            endpoint.WithMetadata(metadata);
            configure(endpoint);
            if (form != DescribedForm)
            {
                endpoint.Add(static builder => builder.Metadata.Add(new ExcludeFromDescriptionAttribute()));
            }
        }
    }

    private static Task Describe(HttpContext context) => Task.CompletedTask;

    /// <summary>Matches a UUID in the form with four hyphens. ASP.NET's constraint <c>guid</c> accepts other forms too.</summary>
    private sealed class DomainIdConstraint : IRouteConstraint
    {
        public bool Match(HttpContext? httpContext, IRouter? route, string routeKey, RouteValueDictionary values, RouteDirection routeDirection) =>
            values.TryGetValue(routeKey, out var value) && value is string text && Guid.TryParseExact(text, "D", out _);
    }
}
