using System.Net;
using Cube.Proxy.Edge;
using Cube.ServiceDefaults.Errors;
using Yarp.ReverseProxy.Forwarder;

namespace Cube.Proxy.Forwarding;

/// <summary>
/// What crosses to an agent and back. Of a request: its path below the tenant, its body, and nothing that identifies the client.
/// Of an answer: its type and its bytes, read by read as they come.
/// </summary>
internal sealed class AgentTransformer : HttpTransformer
{
    public static AgentTransformer Instance { get; } = new();

    public override ValueTask TransformRequestAsync(
        HttpContext httpContext, HttpRequestMessage proxyRequest, string destinationPrefix, CancellationToken cancellationToken)
    {
        proxyRequest.Version = HttpVersion.Version20;
        proxyRequest.VersionPolicy = HttpVersionPolicy.RequestVersionExact;
        // The endpoint's own path, not the client's text; a query has no meaning for any of them.
        var request = DomainRequest.Of(httpContext);
        proxyRequest.RequestUri = new Uri(destinationPrefix + request.Route!.PathOf(request.Endpoint!.Path));
        proxyRequest.Headers.TryAddWithoutValidation(RequestIds.Header, httpContext.TraceIdentifier);
        if (proxyRequest.Content is { } content)
        {
            content.Headers.TryAddWithoutValidation("Content-Type", "application/json");
            content.Headers.ContentLength = httpContext.Request.ContentLength;
        }

        return ValueTask.CompletedTask;
    }

    public override async ValueTask<bool> TransformResponseAsync(
        HttpContext httpContext, HttpResponseMessage? proxyResponse, CancellationToken cancellationToken)
    {
        if (proxyResponse is null)
        {
            return false;
        }

        var isStream = proxyResponse.Content.Headers.ContentType?.MediaType == "text/event-stream";
        if (proxyResponse.StatusCode != HttpStatusCode.OK || !(isStream || proxyResponse.Content.Headers.ContentType?.MediaType == "application/json"))
        {
            var error = proxyResponse.IsSuccessStatusCode
                ? OpenAiError.UpstreamError
                : await AgentErrors.TranslateAsync(proxyResponse, cancellationToken);
            await error.WriteAsync(httpContext);
            return false;
        }

        var response = httpContext.Response;
        if (isStream)
        {
            response.ContentType = "text/event-stream; charset=utf-8";
            response.Headers.CacheControl = "no-cache, no-transform";
            response.Headers["x-accel-buffering"] = "no";
        }
        else
        {
            response.ContentType = "application/json";
            response.ContentLength = proxyResponse.Content.Headers.ContentLength;
        }

        return true;
    }

    public override ValueTask TransformResponseTrailersAsync(
        HttpContext httpContext, HttpResponseMessage proxyResponse, CancellationToken cancellationToken) => ValueTask.CompletedTask;
}
