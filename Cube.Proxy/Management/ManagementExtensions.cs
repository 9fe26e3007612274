using System.Text.Json;
using System.Text.Json.Serialization;

namespace Cube.Proxy.Management;

internal static class ManagementExtensions
{
    /// <summary>The APIs that the proxy serves itself, and the paths that it forwards to Identity.</summary>
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
