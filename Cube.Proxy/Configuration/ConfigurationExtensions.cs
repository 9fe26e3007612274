using Cube.Proxy.Configuration.Catalogs;
using Cube.Proxy.Configuration.Policies;
using Cube.Proxy.Configuration.Routes;
using Cube.Proxy.Database;
using Cube.ServiceDefaults.Hosting;

namespace Cube.Proxy.Configuration;

internal static class ConfigurationExtensions
{
    /// <summary>Adds the configuration that the database stores: routes, attestation policies and model catalogs.</summary>
    /// <exception cref="SettingException">The settings accept simulated Evidence in Production, or configure no database.</exception>
    public static WebApplicationBuilder AddRuntimeConfiguration(this WebApplicationBuilder builder)
    {
        if (builder.Configuration.GetValue<bool>($"{PolicyOptions.Section}:{nameof(PolicyOptions.Simulated)}"))
        {
            builder.Environment.RefuseInProduction("A proxy that accepts simulated Evidence");
        }

        ProxyDatabase.Require(builder.Configuration);
        var services = builder.Services;
        services.AddOptions<PolicyOptions>().BindConfiguration(PolicyOptions.Section);
        services.AddOptionsWithValidateOnStart<RoutingOptions, RoutingOptionsValidator>().BindConfiguration(RoutingOptions.Section);
        services.AddSingleton<ProxyDatabase>().AddSingleton<PolicyStore>().AddSingleton<RouteStore>().AddSingleton<CatalogStore>().AddSingleton<SeedRoutes>();
        services.AddSingleton<ProxyConfigurationProvider>().AddHostedService(static provider => provider.GetRequiredService<ProxyConfigurationProvider>());
        services.AddSingleton<DeletedDomainCleanup>().AddHostedService(static provider => provider.GetRequiredService<DeletedDomainCleanup>());
        return builder;
    }
}
