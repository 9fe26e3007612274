using Cube.Authorization;
using Cube.Proxy.Attestation.Backends;
using Cube.Proxy.Authentication;
using Cube.Proxy.Authorization;
using Cube.Proxy.Edge;
using Cube.Proxy.Forwarding;
using Cube.Proxy.Models;
using Cube.Proxy.Models.Catalogues;
using Cube.Proxy.Observability;
using Cube.Proxy.OpenAi.Requests;
using Cube.Proxy.Routing;
using Cube.Proxy.Routing.Api;
using Cube.ServiceDefaults.Errors;
using Cube.ServiceDefaults.Hosting;
using Cube.ServiceDefaults.Networking;
using Microsoft.AspNetCore.Cors.Infrastructure;
using Microsoft.AspNetCore.HttpOverrides;
using Microsoft.Extensions.Options;

namespace Cube.Proxy;

internal static class EdgeExtensions
{
    /// <summary>Tells each client of a tenant's path how its answer was attested.</summary>
    public const string AttestationHeader = "x-cube-attestation";

    public static WebApplicationBuilder AddEdge(this WebApplicationBuilder builder)
    {
        ServiceAddresses.Require(builder.Configuration, IdentityKeys.ClientName, "http", "https");
        ServiceAddresses.Require(builder.Configuration, AttestedBackends.Peer, "https");
        builder.AddAuthorizationClient();

        var services = builder.Services;
        services.AddSingleton<IValidateOptions<ProxyOptions>, ProxyOptionsValidator>();
        services.AddOptions<ProxyOptions>().BindConfiguration(ProxyOptions.Section).ValidateOnStart();
        services.AddOptionsWithValidateOnStart<InFlightOptions, InFlightOptionsValidator>().BindConfiguration(InFlightOptions.Section);
        services.AddSingleton<InFlight>().AddHostedService<MemoryReturn>();
        services.AddOptions<RoutingOptions>().BindConfiguration(RoutingOptions.Section);
        services.AddSingleton<FirstRoutes>().AddSingleton<RouteStore>().AddSingleton<RouteApi>();
        services.AddSingleton<IConfigureOptions<ForwardedHeadersOptions>, TrustedProxies>();
        services.AddCors().AddSingleton<IConfigureOptions<CorsOptions>, AllowedOrigins>();
        services.AddHybridCache(static cache => cache.MaximumKeyLength = 1024);
        services.AddHttpForwarder();
        services.AddSingleton<ServiceAddresses>().AddSingleton<ServedModels>().AddSingleton<NativeModels>().AddSingleton<CatalogueStore>().AddSingleton<CatalogueApi>().AddSingleton<ForwardStage>().AddSingleton<InferenceForwarder>().AddSingleton<CacheSalts>();
        services.AddSingleton<IdentityKeys>().AddSingleton<IdentityClient>().AddSingleton<PersonalTokens>().AddSingleton<TokenVerifier>();
        services.AddSingleton<MembershipClient>().AddSingleton<Permissions>();
        services.AddSingleton<DeletedDomains>().AddHostedService(static provider => provider.GetRequiredService<DeletedDomains>()).AddHostedService<CacheInvalidationListener>();
        services.AddHttpClient(IdentityKeys.ClientName, static client =>
        {
            client.BaseAddress = new Uri($"https+http://{IdentityKeys.ClientName}/");
            client.Timeout = TimeSpan.FromSeconds(5);
        });
        services.AddHealthChecks().AddCheck<IdentityHealthCheck>("identity");
        builder.WebHost.ConfigureKestrel(static kestrel =>
        {
            // Ours answer before Kestrel's would, see HeaderLimits.
            kestrel.Limits.MaxRequestHeadersTotalSize = 16 * HeaderLimits.MaxTotal;
            kestrel.Limits.MaxRequestHeaderCount = 50 * HeaderLimits.MaxCount;
            // A client that reads slowly holds the upstream back; only one that takes nothing is cut off, see ClientWriter.
            kestrel.Limits.MinResponseDataRate = null;
            kestrel.RequestHeaderEncodingSelector = HeaderEncodings.Of;
            kestrel.Limits.MaxRequestBodySize = kestrel.ApplicationServices.GetRequiredService<IOptions<ProxyOptions>>().Value.MaxRequestBodyBytes;
        });
        return builder;
    }

    /// <summary>The way of a request to a tenant's path, stage by stage.</summary>
    public static WebApplication UseDomainPipeline(this WebApplication app)
    {
        app.UseForwardedHeaders();
        app.UseMiddleware<RequestIds>();
        app.UseMiddleware<RequestFraming>();
        app.UseMiddleware<HeaderLimits>();
        app.UseHeadRequests();
        if (app.Services.GetRequiredService<IOptions<ProxyOptions>>().Value.Cors.Origins.Length > 0)
        {
            // Answers preflight requests, which have no token, and adds its headers to every other answer, errors included.
            app.UseCors();
        }

        app.MapWhen(DomainPath.Matches, static domain => domain
            .UseMiddleware<EnvelopeStage>()
            .UseMiddleware<AuthenticationStage>()
            .UseMiddleware<AuthorizationStage>()
            .UseMiddleware<LoggingStage>()
            .UseMiddleware<TracingStage>()
            .UseMiddleware<MetricsStage>()
            .UseMiddleware<InFlightStage>()
            .UseMiddleware<RouteStage>()
            .UseMiddleware<RequestStage>()
            .UseMiddleware<ModelStage>()
            .Run(static context => context.RequestServices.GetRequiredService<ForwardStage>().InvokeAsync(context)));
        app.UseManagementErrors();
        app.UseRouting();
        return app;
    }

    /// <summary>Whose word on the client's address counts: nobody's, unless the operator says so.</summary>
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
