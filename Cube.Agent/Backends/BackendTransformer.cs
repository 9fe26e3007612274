using System.Net;
using Cube.ServiceDefaults.Hosting;
using Yarp.ReverseProxy.Forwarder;

namespace Cube.Agent.Backends;

/// <summary>
/// Removes headers on the last hop. Clients must not set headers that model servers act on (request id, data-parallel rank, user):
/// only Content-Type and Content-Length of the request, and those of the response, are forwarded.
/// </summary>
internal sealed class BackendTransformer(BackendClient client, string kind) : HttpTransformer
{
    private static readonly string[] Passed = ["Content-Type", "Content-Length"];

    public override ValueTask TransformRequestAsync(
        HttpContext httpContext, HttpRequestMessage proxyRequest, string destinationPrefix, CancellationToken cancellationToken)
    {
        proxyRequest.Version = HttpVersion.Version11;
        proxyRequest.VersionPolicy = HttpVersionPolicy.RequestVersionExact;
        proxyRequest.Headers.ConnectionClose = client.HasExcessConnections ? true : null;
        foreach (var name in Passed)
        {
            if (proxyRequest.Content is { } content && httpContext.Request.Headers.TryGetValue(name, out var value))
            {
                content.Headers.TryAddWithoutValidation(name, (string?)value);
            }
        }

        return ValueTask.CompletedTask;
    }

    public override ValueTask<bool> TransformResponseAsync(
        HttpContext httpContext, HttpResponseMessage? proxyResponse, CancellationToken cancellationToken)
    {
        if (proxyResponse is not null)
        {
            httpContext.Response.Headers[AgentHeaders.Backend] = kind;
            httpContext.Response.StatusCode = (int)proxyResponse.StatusCode;
            httpContext.Response.ContentType = proxyResponse.Content.Headers.ContentType?.ToString();
            httpContext.Response.ContentLength = proxyResponse.Content.Headers.ContentLength;
        }

        return ValueTask.FromResult(true);
    }

    public override ValueTask TransformResponseTrailersAsync(
        HttpContext httpContext, HttpResponseMessage proxyResponse, CancellationToken cancellationToken) => ValueTask.CompletedTask;
}
