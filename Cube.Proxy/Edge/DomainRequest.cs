using Cube.Proxy.Authentication;
using Cube.Proxy.Authorization;
using Cube.Proxy.Models;
using Cube.Proxy.Routing;
using Microsoft.AspNetCore.Http.Features;

namespace Cube.Proxy.Edge;

/// <summary>What the stages of the pipeline learn of one request to a tenant's path.</summary>
internal sealed class DomainRequest
{
    private string? _fullPath;

    public Guid DomainId { get; set; }

    /// <summary>The path below the tenant, as sent.</summary>
    public string Rest { get; set; } = "";

    /// <summary>The path with the tenant's id in its canonical form, without <c>/proxy</c>: what the original called the path.</summary>
    public string FullPath => _fullPath ??= $"/{DomainId}{Rest}";

    /// <summary>Where the request goes; known from the route stage on.</summary>
    public Route? Route { get; set; }

    /// <summary>The body, where the endpoint has one that names a model. It lives as long as the stages after the route.</summary>
    public RequestBody? Body { get; set; }

    public Caller? Caller { get; set; }

    public InferenceEndpoint? Endpoint { get; set; }

    /// <summary>What the caller may do with the endpoint.</summary>
    public Access? Access { get; set; }

    /// <summary>The decoded id in the path of a single model.</summary>
    public string? ModelId { get; set; }

    public static DomainRequest Of(HttpContext context) => context.Features.GetRequiredFeature<DomainRequest>();
}
