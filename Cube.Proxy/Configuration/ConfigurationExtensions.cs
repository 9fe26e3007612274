using Cube.Proxy.Configuration.Catalogs;
using Cube.Proxy.Configuration.Policies;
using Cube.Proxy.Configuration.Routes;
using Cube.Proxy.Database;
using Cube.ServiceDefaults.Hosting;

namespace Cube.Proxy.Configuration;

internal static class ConfigurationExtensions
{
    /// <summary>Routes, attestation policies and model catalogs, from the database.</summary>
    /// <exception cref="SettingException">Simulated evidence in Production, or no database is configured.</exception>
    public static WebApplicationBuilder AddRuntimeConfiguration(this WebApplicationBuilder builder)
    {
        if (builder.Configuration.GetValue<bool>($"{PolicyOptions.Section}:{nameof(PolicyOptions.Simulated)}"))
        {
            builder.Environment.RefuseInProduction("A proxy that accepts simulated evidence");
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
