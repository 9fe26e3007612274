using Cube.Database;
using Cube.ServiceDefaults.Hosting;
using Dapper;
using Npgsql;

namespace Cube.Identity.Database;

internal static class DatabaseExtensions
{
    private const string Name = "identity";

    private const long MigrationLock = 0x43756265_00000001;

    public static WebApplicationBuilder AddDatabase(this WebApplicationBuilder builder)
    {
        if (string.IsNullOrEmpty(builder.Configuration.GetConnectionString(Name)))
        {
            throw new SettingException($"The database is not configured: set ConnectionStrings__{Name}.");
        }

        DefaultTypeMap.MatchNamesWithUnderscores = true;
        builder.AddNpgsqlDataSource(Name, configureDataSourceBuilder: source =>
            source.ConnectionStringBuilder.MaxPoolSize = Math.Min(source.ConnectionStringBuilder.MaxPoolSize, 100));
        return builder;
    }

    /// <exception cref="SettingException">The database does not answer, or a migration fails.</exception>
    public static WebApplication MigrateDatabase(this WebApplication app)
    {
        Migrations.Run(
            Name, typeof(DatabaseExtensions).Assembly, app.Services.GetRequiredService<NpgsqlDataSource>(), app.Configuration.GetConnectionString(Name)!, MigrationLock,
            app.Configuration.GetValue<TimeSpan>(Migrations.StartTimeoutSetting));
        return app;
    }
}
