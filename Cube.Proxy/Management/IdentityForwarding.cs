using System.Text;
using Cube.Proxy.Authentication;
using Cube.Proxy.OpenApi;
using Cube.ServiceDefaults.Errors;
using Cube.ServiceDefaults.Networking;
using Yarp.ReverseProxy.Forwarder;

namespace Cube.Proxy.Management;

/// <summary>Forwards the paths of Identity. Identity authenticates and authorizes these requests itself.</summary>
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
            // The path of the document at Identity.
            context.Request.Path = "/openapi/v1.json";
            return ForwardAsync(context);
        }).AllowAnonymous();

        async Task ForwardAsync(HttpContext context)
        {
            var address = await serviceAddresses.AddressAsync($"https+http://{IdentityKeys.ClientName}", context.RequestAborted);
            var error = await forwarder.SendAsync(context, address, invoker, Config, IdentityRequestTransformer.Instance, context.RequestAborted);
            if (error != ForwarderError.None && !context.Response.HasStarted && !context.RequestAborted.IsCancellationRequested)
            {
                var status = StatusOf(error, ForwarderFailure.BadRequestOf(context));
                await ManagementError.Of(status).WriteAsync(context, status);
            }
        }
    }

    private static int StatusOf(ForwarderError error, BadHttpRequestException? rejection) => (error, rejection) switch
    {
        (_, not null) => rejection.StatusCode,
        (ForwarderError.RequestTimedOut, _) => StatusCodes.Status504GatewayTimeout,
        _ => StatusCodes.Status502BadGateway,
    };

    /// <summary>Sets <c>X-Forwarded-For</c> to the address of the client, and removes headers by which a client could claim another address, host or trace.</summary>
    private sealed class IdentityRequestTransformer : HttpTransformer
    {
        public static IdentityRequestTransformer Instance { get; } = new();

        private static readonly string[] RemovedHeaders =
        [
            "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Forwarded-Prefix", "Forwarded", "X-Real-IP", "Cookie",
            // The proxy propagates its own span instead.
            "traceparent", "tracestate", "baggage", "Correlation-Context", "Request-Id",
        ];

        public override async ValueTask TransformRequestAsync(
            HttpContext httpContext, HttpRequestMessage proxyRequest, string destinationPrefix, CancellationToken cancellationToken)
        {
            await base.TransformRequestAsync(httpContext, proxyRequest, destinationPrefix, cancellationToken);
            foreach (var name in RemovedHeaders)
            {
                proxyRequest.Headers.Remove(name);
            }

            // HttpClient cannot send header values with non-ASCII characters, and Identity needs none.
            foreach (var header in httpContext.Request.Headers.Where(static header => !Ascii.IsValid(header.Value.ToString())))
            {
                proxyRequest.Headers.Remove(header.Key);
            }

            proxyRequest.Headers.Host = null;
            proxyRequest.Headers.TryAddWithoutValidation("X-Forwarded-For", httpContext.Connection.RemoteIpAddress?.ToString());
        }
    }
}
