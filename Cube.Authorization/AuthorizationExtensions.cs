using Cube.Authorization.Relationships;
using Cube.Authorization.SpiceDb;
using Cube.ServiceDefaults.Peers;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;

namespace Cube.Authorization;

internal static class AuthorizationExtensions
{
    /// <summary>Who decides, and the key to it. Without both the service does not start.</summary>
    public static IServiceCollection AddAuthorizationOptions(this IServiceCollection services)
    {
        services.AddSingleton<IValidateOptions<AuthorizationOptions>, AuthorizationOptionsValidator>();
        services.AddOptions<AuthorizationOptions>().BindConfiguration(AuthorizationOptions.Section).ValidateOnStart();
        return services;
    }

    /// <summary>The engine behind the peer <c>authorization</c>: SpiceDB, or Identity in its place.</summary>
    public static WebApplicationBuilder AddAuthorizationClient(this WebApplicationBuilder builder)
    {
        Peers.Require(builder.Configuration, SpiceDbClient.ClientName, "http", "https");
        builder.Services.AddAuthorizationOptions();
        builder.Services.AddSingleton<IAuthorizationEngine, SpiceDbClient>();
        builder.Services.AddHttpClient(SpiceDbClient.ClientName, static client =>
        {
            client.BaseAddress = new Uri($"https+http://{SpiceDbClient.ClientName}/");
            client.Timeout = TimeSpan.FromSeconds(5);
        });
        return builder;
    }
}
