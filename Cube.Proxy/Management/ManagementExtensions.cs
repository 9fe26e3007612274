using System.Text.Json;
using System.Text.Json.Serialization;

namespace Cube.Proxy.Management;

internal static class ManagementExtensions
{
    /// <summary>Adds the management APIs of the proxy, and the forwarder for the paths of Identity.</summary>
    public static WebApplicationBuilder AddManagement(this WebApplicationBuilder builder)
    {
        builder.Services.ConfigureHttpJsonOptions(static json =>
        {
            json.SerializerOptions.PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower;
            json.SerializerOptions.DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull;
            json.SerializerOptions.Converters.Add(new JsonStringEnumConverter(JsonNamingPolicy.KebabCaseLower));
        });
        builder.Services.AddHttpForwarder().AddSingleton<PolicyService>().AddSingleton<RouteApi>().AddSingleton<CatalogApi>().AddSingleton<CollateralImporter>()
            .AddSingleton<DomainAttestationApi>().AddSingleton<PlatformAttestationApi>();
        return builder;
    }

    public static WebApplication MapManagement(this WebApplication app)
    {
        app.MapRoutes();
        app.MapCatalog();
        app.MapDomainAttestation();
        app.MapPlatformAttestation();
        app.MapIdentity();
        return app;
    }
}
