using System.Text.Json;
using Cube.Proxy.Authentication;
using Cube.Proxy.Authorization;
using Cube.Proxy.OpenAi;
using Cube.Proxy.OpenAi.Answers;
using Cube.Proxy.OpenAi.Requests;
using Cube.Proxy.OpenAi.Requests.Audio;
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

    /// <summary>The body as it came, where the endpoint has one that names a model; until it has been written anew for the model server.</summary>
    public RequestBody? Body { get; set; }

    /// <summary>The body, read and checked.</summary>
    public JsonDocument? Json { get; set; }

    /// <summary>The same of an endpoint whose body is a form.</summary>
    public AudioForm? Form { get; set; }

    /// <summary>What the client wants, as far as its answer depends on it.</summary>
    public ClientRequest? Wanted { get; set; }

    /// <summary>The exact id of the model at the model server.</summary>
    public string? ModelAtServer { get; set; }

    public BackendKind Backend { get; set; }

    /// <summary>Tokens, as the model server counted them.</summary>
    public TokenUsage? Usage { get; set; }

    /// <summary>How a forwarded answer ended; null where none was.</summary>
    public AnswerEnd? End { get; set; }

    /// <summary>Gives the memory of the body back; nobody needs it while the model thinks.</summary>
    public void ReleaseBody()
    {
        Json?.Dispose();
        Body?.Dispose();
        Lease?.Dispose();
        (Json, Form, Body) = (null, null, null);
    }

    /// <summary>What the body holds of the budget for bodies in flight.</summary>
    public BodyLease? Lease { get; set; }

    public Caller? Caller { get; set; }

    public InferenceEndpoint? Endpoint { get; set; }

    /// <summary>What the caller may do with the endpoint.</summary>
    public Access? Access { get; set; }

    /// <summary>The decoded id in the path of a single model.</summary>
    public string? ModelId { get; set; }

    public static DomainRequest Of(HttpContext context) => context.Features.GetRequiredFeature<DomainRequest>();
}
