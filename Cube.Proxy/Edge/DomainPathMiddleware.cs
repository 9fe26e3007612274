using System.Collections.Frozen;
using Cube.Inference;
using Cube.Inference.Errors;
using Cube.ServiceDefaults.Errors;
using Cube.ServiceDefaults.Hosting;
using Microsoft.AspNetCore.Authorization;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Routing;

namespace Cube.Proxy.Edge;

/// <summary>
/// Compares paths below a domain byte by byte. ASP.NET's routing ignores the letter case of paths and methods, decodes escapes, removes dot segments and ignores a trailing slash. Therefore this middleware reads the
/// path as the client sent it, before routing, selects an error endpoint for every path and method that is not exactly one of the mapped ones, and gives routing the path that it checked.
/// </summary>
internal sealed class DomainPathMiddleware(RequestDelegate next, EndpointDataSource endpoints)
{
    /// <summary>The name of the authorization policy for paths without a domain.</summary>
    public const string AuthenticatedPolicy = "authenticated";

    /// <summary>For paths without a domain: only the caller's token can be checked before the error.</summary>
    private static readonly Endpoint _malformed = new(
        static context => OpenAiError.InvalidPath.WriteAsync(context), new EndpointMetadataCollection(new AuthorizeAttribute(AuthenticatedPolicy)), "Malformed path");

    /// <summary>For unknown paths below a domain: the fallback policy shows the error only to members of the domain.</summary>
    private static readonly Endpoint _unknown = new(static context => OpenAiError.UnknownUrl.WriteAsync(context), EndpointMetadataCollection.Empty, "Unknown path");

    private readonly Lazy<(FrozenDictionary<string, MappedPath> Exact, (string Prefix, MappedPath Path)[] Prefixes)> _paths = new(() => ReadPaths(endpoints));

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

        var feature = new DomainPathFeature(domain, rest);
        context.Features.Set(feature);
        context.Request.Path = DomainRouting.PathOf(feature);
        if (Find(rest) is not { } path)
        {
            context.SetEndpoint(_unknown);
        }
        else if (!path.Methods.Contains(context.Request.Method, StringComparer.Ordinal))
        {
            context.SetEndpoint(path.MethodNotAllowed);
        }
        else if (path.Endpoint is { } endpoint)
        {
            context.SetEndpoint(endpoint);
        }

        return next(context);
    }

    private MappedPath? Find(string rest)
    {
        var (exact, prefixes) = _paths.Value;
        return exact.GetValueOrDefault(rest)
            ?? Array.Find(prefixes, mapped => rest.Length > mapped.Prefix.Length && rest.StartsWith(mapped.Prefix, StringComparison.Ordinal)).Path;
    }

    private static (FrozenDictionary<string, MappedPath> Exact, (string Prefix, MappedPath Path)[] Prefixes) ReadPaths(EndpointDataSource endpoints)
    {
        var paths = endpoints.Endpoints
            .Where(static endpoint => endpoint.Metadata.GetMetadata<DomainEndpointMetadata>() is not null)
            .GroupBy(static endpoint => endpoint.Metadata.GetRequiredMetadata<DomainEndpointMetadata>().Path)
            .Select(static group => (Path: group.Key, Mapped: new MappedPath([.. group])))
            .ToLookup(static path => path.Path.EndsWith(DomainRouting.ModelParameter, StringComparison.Ordinal));
        return (
            paths[false].ToFrozenDictionary(static path => path.Path, static path => path.Mapped, StringComparer.Ordinal),
            [.. paths[true].Select(static path => (path.Path[..^DomainRouting.ModelParameter.Length], path.Mapped))]);
    }

    /// <summary>A path below a domain with the methods of its endpoints.</summary>
    private sealed class MappedPath
    {
        public MappedPath(Endpoint[] endpoints)
        {
            Methods = [.. endpoints.SelectMany(static endpoint => endpoint.Metadata.GetRequiredMetadata<IHttpMethodMetadata>().HttpMethods)];
            Endpoint = endpoints is [var only] && only.Metadata.GetMetadata<ForwardedEndpoint>() is not null ? only : null;
            var allow = HeadRequests.WithHead(string.Join(", ", Methods));
            MethodNotAllowed = new Endpoint(
                context =>
                {
                    context.Response.Headers.Allow = allow;
                    return OpenAiError.MethodNotAllowed.WriteAsync(context);
                },
                EndpointMetadataCollection.Empty,
                "Method not allowed");
        }

        public string[] Methods { get; }

        /// <summary>The endpoint of a path that is forwarded to a model server. It has no route values, so that routing is not needed. Null for other paths.</summary>
        public Endpoint? Endpoint { get; }

        /// <summary>The fallback policy shows the error only to members of the domain.</summary>
        public Endpoint MethodNotAllowed { get; }
    }
}
