using Cube.Authorization;
using Cube.Authorization.Relationships;
using Cube.Authorization.SpiceDb;
using Cube.ServiceDefaults.Hosting;
using Dapper;
using Npgsql;

namespace Cube.Identity.Engine;

internal static class EngineExtensions
{
    private const string OtherKey = "SpiceDb:PresharedKey";

    /// <summary>SpiceDB where that is configured; else the embedded engine, which is then served to the proxies too.</summary>
    public static WebApplicationBuilder AddEngine(this WebApplicationBuilder builder)
    {
        // Which services there are depends on it: looked at before any of them is made.
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
        var other = builder.Configuration[OtherKey] ?? "";
        if (other.Length > 0)
        {
            builder.Environment.RefuseInProduction("A second store of the authorization engine (SpiceDb__PresharedKey)");
            if (other == key)
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
            if (other.Length > 0)
            {
                stores.Add((other, new EmbeddedEngine(database, EngineStores.Other)));
            }

            return new EngineStores(stores);
        });
        return builder;
    }

    /// <summary>What somebody tried out before is not there any more.</summary>
    public static WebApplication EmptyOtherStores(this WebApplication app)
    {
        if (!string.IsNullOrEmpty(app.Configuration[OtherKey]) && app.Services.GetService<EngineStores>() is not null)
        {
            using var connection = app.Services.GetRequiredService<NpgsqlDataSource>().OpenConnection();
            connection.Execute(
                "delete from relation_tuples where store = @Other; delete from relation_schemas where store = @Other", new { EngineStores.Other });
        }

        return app;
    }
}
