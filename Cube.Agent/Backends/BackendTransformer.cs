using System.Net;
using Cube.ServiceDefaults.Hosting;
using Yarp.ReverseProxy.Forwarder;

namespace Cube.Agent.Backends;

/// <summary>
/// Header hygiene on the last hop. What model servers obey in headers (a request id, a data-parallel rank, a user) does not come
/// from clients: only what describes the body passes, and of the answer only its type.
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
