using Cube.Authorization.Engine;
using Cube.Authorization.Relationships;
using Cube.Authorization.SpiceDb;
using Cube.ServiceDefaults.Hosting;
using Cube.ServiceDefaults.Networking;
using Dapper;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;
using Npgsql;

namespace Cube.Authorization;

internal static class AuthorizationExtensions
{
    private const string TrialKey = "SpiceDb:PresharedKey";

    /// <summary>A client of the service <c>authorization</c>: SpiceDB, or the embedded engine of Identity.</summary>
    /// <exception cref="SettingException">No address of the service is configured.</exception>
    public static WebApplicationBuilder AddAuthorizationClient(this WebApplicationBuilder builder)
    {
        ServiceAddresses.Require(builder.Configuration, SpiceDbClient.ClientName, "http", "https");
        builder.Services.AddAuthorizationOptions();
        builder.Services.AddSingleton<IAuthorizationEngine, SpiceDbClient>();
        builder.Services.AddHttpClient(SpiceDbClient.ClientName, static client =>
        {
            client.BaseAddress = new Uri($"https+http://{SpiceDbClient.ClientName}/");
            client.Timeout = TimeSpan.FromSeconds(5);
        });
        return builder;
    }

    /// <summary>
    /// The engine that the setting <c>Authorization:Engine</c> names: a client of SpiceDB, or the embedded engine over the tables
    /// <c>relation_tuples</c> and <c>relation_schemas</c>, which the migrations of Identity create.
    /// </summary>
    /// <exception cref="SettingException">The settings are incomplete or contradict each other.</exception>
    public static WebApplicationBuilder AddAuthorizationEngine(this WebApplicationBuilder builder)
    {
        // The registrations depend on these options, so they are validated before the host validates options.
        var options = builder.Configuration.GetSection(AuthorizationOptions.Section).Get<AuthorizationOptions>() ?? new AuthorizationOptions();
        if (new AuthorizationOptionsValidator().Validate(null, options) is { Failed: true } invalid)
        {
            throw new SettingException(string.Join(" ", invalid.Failures));
        }

        if (!options.IsEmbedded)
        {
            return builder.AddAuthorizationClient();
        }

        var key = options.Key;
        var trialKey = builder.Configuration[TrialKey] ?? "";
        if (trialKey.Length > 0)
        {
            builder.Environment.RefuseInProduction("A second store of the authorization engine (SpiceDb__PresharedKey)");
            if (trialKey == key)
            {
                throw new SettingException("SpiceDb__PresharedKey must not be Authorization__Key: it would open Cube's own store.");
            }
        }

        builder.Services.AddAuthorizationOptions();
        builder.Services.AddSingleton<IAuthorizationEngine>(static services => new EmbeddedEngine(services.GetRequiredService<NpgsqlDataSource>(), EngineStores.Own));
        builder.Services.AddSingleton(services =>
        {
            var database = services.GetRequiredService<NpgsqlDataSource>();
            List<(string, EmbeddedEngine)> stores = [(key, (EmbeddedEngine)services.GetRequiredService<IAuthorizationEngine>())];
            if (trialKey.Length > 0)
            {
                stores.Add((trialKey, new EmbeddedEngine(database, EngineStores.Trial)));
            }

            return new EngineStores(stores);
        });
        return builder;
    }

    /// <summary>Deletes the relationships and the schema that an earlier run left in the trial store.</summary>
    public static WebApplication ClearTrialStore(this WebApplication app)
    {
        if (!string.IsNullOrEmpty(app.Configuration[TrialKey]) && app.Services.GetService<EngineStores>() is not null)
        {
            using var connection = app.Services.GetRequiredService<NpgsqlDataSource>().OpenConnection();
            connection.Execute(
                "delete from relation_tuples where store = @Trial; delete from relation_schemas where store = @Trial", new { EngineStores.Trial });
        }

        return app;
    }

    private static void AddAuthorizationOptions(this IServiceCollection services) =>
        services.AddOptionsWithValidateOnStart<AuthorizationOptions, AuthorizationOptionsValidator>().BindConfiguration(AuthorizationOptions.Section);
}
