using System.Text;
using Cube.Proxy.Authentication;
using Cube.Proxy.OpenApi;
using Cube.ServiceDefaults.Errors;
using Cube.ServiceDefaults.Networking;
using Yarp.ReverseProxy.Forwarder;

namespace Cube.Proxy.Management;

/// <summary>The paths of other services that this door serves.</summary>
internal static class IdentityForwarding
{
    private static readonly string[] IdentityPaths = ["users", "password", "domains", "invitations", "pats", "keys", "journal", "verify-email"];
    private static readonly ForwarderRequestConfig Config = new() { ActivityTimeout = TimeSpan.FromSeconds(30) };

    public static void MapIdentity(this WebApplication app)
    {
        var forwarder = app.Services.GetRequiredService<IHttpForwarder>();
        var serviceAddresses = app.Services.GetRequiredService<ServiceAddresses>();
        var invoker = new HttpMessageInvoker(BackendHttpHandler.Create());
        app.Lifetime.ApplicationStopped.Register(invoker.Dispose);

        foreach (var path in IdentityPaths)
        {
            app.Map($"/{path}/{{**rest}}", ForwardAsync).AllowAnonymous();
        }

        app.MapGet("/openapi/identity.json", context =>
        {
            // Under its own name there: each service has one document.
            context.Request.Path = "/openapi/v1.json";
            return ForwardAsync(context);
        }).AllowAnonymous();

        async Task ForwardAsync(HttpContext context)
        {
            var address = await serviceAddresses.AddressAsync($"https+http://{IdentityKeys.ClientName}", context.RequestAborted);
            var error = await forwarder.SendAsync(context, address, invoker, Config, Transformer.Instance, context.RequestAborted);
            if (error != ForwarderError.None && !context.Response.HasStarted && !context.RequestAborted.IsCancellationRequested)
            {
                var status = Explain(error, ForwarderFailure.BadRequestOf(context));
                await ManagementError.Of(status).WriteAsync(context, status);
            }
        }
    }

    private static int Explain(ForwarderError error, BadHttpRequestException? refusal) => (error, refusal) switch
    {
        (_, not null) => refusal.StatusCode,
        (ForwarderError.RequestTimedOut, _) => StatusCodes.Status504GatewayTimeout,
        _ => StatusCodes.Status502BadGateway,
    };

    /// <summary>Says who the client is in our words alone: what he claims of himself, or of proxies before him, is dropped.</summary>
    private sealed class Transformer : HttpTransformer
    {
        public static Transformer Instance { get; } = new();

        private static readonly string[] Claims =
        [
            "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Forwarded-Prefix", "Forwarded", "X-Real-IP", "Cookie",
            // The trace goes on from our own span.
            "traceparent", "tracestate", "baggage", "Correlation-Context", "Request-Id",
        ];

        public override async ValueTask TransformRequestAsync(
            HttpContext httpContext, HttpRequestMessage proxyRequest, string destinationPrefix, CancellationToken cancellationToken)
        {
            await base.TransformRequestAsync(httpContext, proxyRequest, destinationPrefix, cancellationToken);
            foreach (var name in Claims)
            {
                proxyRequest.Headers.Remove(name);
            }

            // Identity reads no header with other characters, and HttpClient cannot send them.
            foreach (var header in httpContext.Request.Headers.Where(static header => !Ascii.IsValid(header.Value.ToString())))
            {
                proxyRequest.Headers.Remove(header.Key);
            }

            proxyRequest.Headers.Host = null;
            proxyRequest.Headers.TryAddWithoutValidation("X-Forwarded-For", httpContext.Connection.RemoteIpAddress?.ToString());
        }
    }
}
