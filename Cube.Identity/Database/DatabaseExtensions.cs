using Cube.ServiceDefaults.Hosting;
using Dapper;
using DbUp;
using Npgsql;

namespace Cube.Identity.Database;

internal static class DatabaseExtensions
{
    private const string Name = "identity";

    /// <summary>A number of our own for <c>pg_advisory_lock</c>: replicas that start together migrate one after the other.</summary>
    private const long MigrationLock = 0x43756265_00000001;

    public static WebApplicationBuilder AddDatabase(this WebApplicationBuilder builder)
    {
        if (string.IsNullOrEmpty(builder.Configuration.GetConnectionString(Name)))
        {
            throw new SettingException($"No database is configured: set ConnectionStrings__{Name}.");
        }

        DefaultTypeMap.MatchNamesWithUnderscores = true;
        builder.AddNpgsqlDataSource(Name, configureDataSourceBuilder: source =>
            source.ConnectionStringBuilder.MaxPoolSize = Math.Min(source.ConnectionStringBuilder.MaxPoolSize, 100));
        return builder;
    }

    /// <exception cref="SettingException">The database cannot be reached or brought up to date.</exception>
    public static WebApplication MigrateDatabase(this WebApplication app)
    {
        var source = app.Services.GetRequiredService<NpgsqlDataSource>();
        try
        {
            // The lock is the session's: it goes with the connection, whatever happens in between.
            using var guard = source.OpenConnection();
            guard.Execute("select pg_advisory_lock(@MigrationLock)", new { MigrationLock }, commandTimeout: 120);
            var result = DeployChanges.To
                .PostgresqlDatabase(app.Configuration.GetConnectionString(Name))
                .WithScriptsEmbeddedInAssembly(typeof(DatabaseExtensions).Assembly)
                .WithTransactionPerScript()
                .WithVariablesDisabled()
                .LogToNowhere()
                .Build()
                .PerformUpgrade();
            guard.Execute("select pg_advisory_unlock(@MigrationLock)", new { MigrationLock });
            return result.Successful
                ? app
                : throw new SettingException($"The database {Name} could not be migrated at {result.ErrorScript?.Name}: {result.Error.Message}");
        }
        catch (NpgsqlException exception)
        {
            throw new SettingException($"The database {Name} does not answer: {exception.Message}");
        }
    }
}
