using Cube.ServiceDefaults.Hosting;
using Microsoft.AspNetCore.Cors.Infrastructure;
using Microsoft.AspNetCore.HttpOverrides;
using Microsoft.Extensions.Options;

namespace Cube.Proxy.Edge;

internal static class EdgeExtensions
{
    /// <summary>What every request meets first: Kestrel's limits, addresses of load balancers, CORS, and the paths below a domain.</summary>
    public static WebApplicationBuilder AddEdge(this WebApplicationBuilder builder)
    {
        var services = builder.Services;
        services.AddOptionsWithValidateOnStart<ProxyOptions, ProxyOptionsValidator>().BindConfiguration(ProxyOptions.Section);
        services.AddSingleton<IConfigureOptions<ForwardedHeadersOptions>, TrustedProxies>();
        services.AddCors().AddSingleton<IConfigureOptions<CorsOptions>, AllowedOrigins>();
        services.AddDomainRouting();
        builder.WebHost.ConfigureKestrel(static kestrel =>
        {
            // HeaderLimitsMiddleware rejects large headers first, with a body.
            kestrel.Limits.MaxRequestHeadersTotalSize = 16 * HeaderLimitsMiddleware.MaxTotal;
            kestrel.Limits.MaxRequestHeaderCount = 50 * HeaderLimitsMiddleware.MaxCount;
            // A client that reads slowly holds the upstream back; ClientWriter ends the connection of one that reads nothing.
            kestrel.Limits.MinResponseDataRate = null;
            kestrel.RequestHeaderEncodingSelector = HeaderEncodings.Of;
            kestrel.Limits.MaxRequestBodySize = kestrel.ApplicationServices.GetRequiredService<IOptions<ProxyOptions>>().Value.MaxRequestBodyBytes;
        });
        return builder;
    }

    /// <summary>Steps that need no routing.</summary>
    public static WebApplication UseEdge(this WebApplication app)
    {
        app.UseForwardedHeaders();
        app.UseMiddleware<RequestIdMiddleware>();
        app.UseMiddleware<RequestFramingMiddleware>();
        app.UseMiddleware<HeaderLimitsMiddleware>();
        app.UseHeadRequests();
        if (app.Services.GetRequiredService<IOptions<ProxyOptions>>().Value.Cors.Origins.Length > 0)
        {
            // Answers preflight requests, which have no token, and adds its headers to every other response, errors included.
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
