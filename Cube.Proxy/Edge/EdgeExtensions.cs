using Cube.ServiceDefaults.Hosting;
using Microsoft.AspNetCore.Cors.Infrastructure;
using Microsoft.AspNetCore.HttpOverrides;
using Microsoft.Extensions.Options;

namespace Cube.Proxy.Edge;

internal static class EdgeExtensions
{
    /// <summary>Configures the first steps of every request: Kestrel's limits, trusted load balancers, CORS, and routing below a domain.</summary>
    public static WebApplicationBuilder AddEdge(this WebApplicationBuilder builder)
    {
        var services = builder.Services;
        services.AddOptionsWithValidateOnStart<ProxyOptions, ProxyOptionsValidator>().BindConfiguration(ProxyOptions.Section);
        services.AddSingleton<IConfigureOptions<ForwardedHeadersOptions>, TrustedProxies>();
        services.AddCors().AddSingleton<IConfigureOptions<CorsOptions>, AllowedOrigins>();
        services.AddDomainRouting();
        builder.WebHost.ConfigureKestrel(static kestrel =>
        {
            // HeaderLimitsMiddleware has lower limits and rejects with a response body.
            kestrel.Limits.MaxRequestHeadersTotalSize = 16 * HeaderLimitsMiddleware.MaxTotal;
            kestrel.Limits.MaxRequestHeaderCount = 50 * HeaderLimitsMiddleware.MaxCount;
            // Slow clients are allowed. ClientWriter aborts the connection of a client that stops reading.
            kestrel.Limits.MinResponseDataRate = null;
            kestrel.RequestHeaderEncodingSelector = HeaderEncodings.Of;
            kestrel.Limits.MaxRequestBodySize = kestrel.ApplicationServices.GetRequiredService<IOptions<ProxyOptions>>().Value.MaxRequestBodyBytes;
        });
        return builder;
    }

    /// <summary>Adds the steps that need no routing.</summary>
    public static WebApplication UseEdge(this WebApplication app)
    {
        app.UseForwardedHeaders();
        app.UseMiddleware<RequestIdMiddleware>();
        app.UseMiddleware<RequestFramingMiddleware>();
        app.UseMiddleware<HeaderLimitsMiddleware>();
        app.UseHeadRequests();
        if (app.Services.GetRequiredService<IOptions<ProxyOptions>>().Value.Cors.Origins.Length > 0)
        {
            // Handles preflight requests, which have no token, and adds the CORS headers to all other responses, including errors.
            app.UseCors();
        }

        return app;
    }

    /// <summary>The networks whose <c>X-Forwarded-For</c> the proxy trusts. There are none by default.</summary>
    private sealed class TrustedProxies(IOptions<ProxyOptions> options) : IConfigureOptions<ForwardedHeadersOptions>
    {
        public void Configure(ForwardedHeadersOptions forwarded)
        {
            forwarded.KnownProxies.Clear();
            forwarded.KnownIPNetworks.Clear();
            forwarded.ForwardedHeaders = options.Value.TrustedProxies.Length == 0 ? ForwardedHeaders.None : ForwardedHeaders.XForwardedFor;
            foreach (var network in options.Value.TrustedProxies)
            {
                forwarded.KnownIPNetworks.Add(System.Net.IPNetwork.Parse(network));
            }
        }
    }
}
