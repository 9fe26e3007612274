using System.Collections.Frozen;
using Cube.Inference.Errors;
using Cube.ServiceDefaults.Errors;
using Microsoft.AspNetCore.Authorization;
using Microsoft.AspNetCore.Http.Features;

namespace Cube.Proxy.Edge;

/// <summary>
/// Compares paths below a domain byte by byte. ASP.NET's routing ignores letter case, decodes escapes and ignores a trailing slash. Therefore this middleware reads the path as the client sent it, before routing, and
/// selects an error endpoint for every path that is not exactly one of the mapped paths.
/// </summary>
internal sealed class DomainPathMiddleware(RequestDelegate next, EndpointDataSource endpoints)
{
    /// <summary>For paths without a domain: only the caller's token can be checked before the error.</summary>
    private static readonly Endpoint _malformed = new(
        static context => OpenAiError.InvalidPath.WriteAsync(context), new EndpointMetadataCollection(new AuthorizeAttribute(AuthenticatedPolicy)), "Malformed path");

    /// <summary>For unknown paths below a domain: the fallback policy shows the error only to members of the domain.</summary>
    private static readonly Endpoint _unknown = new(static context => OpenAiError.UnknownUrl.WriteAsync(context), EndpointMetadataCollection.Empty, "Unknown path");

    private readonly Lazy<(FrozenSet<string> Exact, string[] Prefixes)> _paths = new(() => ReadPaths(endpoints));

    /// <summary>The name of the authorization policy for paths without a domain.</summary>
    public const string AuthenticatedPolicy = "authenticated";

    public Task InvokeAsync(HttpContext context)
    {
        if (!DomainPath.Matches(context))
        {
            return next(context);
        }

        if (!DomainPath.TryParse(context.Features.GetRequiredFeature<IHttpRequestFeature>().RawTarget, out var domain, out var rest))
        {
            context.SetEndpoint(_malformed);
            return next(context);
        }

        context.Features.Set(new DomainPathFeature(domain, rest));
        var (exact, prefixes) = _paths.Value;
        if (!exact.Contains(rest) && !Array.Exists(prefixes, prefix => rest.Length > prefix.Length && rest.StartsWith(prefix, StringComparison.Ordinal)))
        {
            context.SetEndpoint(_unknown);
        }

        return next(context);
    }

    private static (FrozenSet<string> Exact, string[] Prefixes) ReadPaths(EndpointDataSource endpoints)
    {
        var paths = endpoints.Endpoints.Select(static endpoint => endpoint.Metadata.GetMetadata<DomainEndpointMetadata>()?.Path).OfType<string>().Distinct().ToLookup(
            static path => path.EndsWith(DomainRouting.ModelParameter, StringComparison.Ordinal));
        return (paths[false].ToFrozenSet(StringComparer.Ordinal), [.. paths[true].Select(static path => path[..^DomainRouting.ModelParameter.Length])]);
    }
}
