using Cube.Database;
using Cube.ServiceDefaults.Hosting;
using Dapper;
using Npgsql;

namespace Cube.Proxy.Database;

/// <summary>The PostgreSQL database that all proxies share: routes, policies, catalogs, verdicts and collateral.</summary>
internal sealed class ProxyDatabase(IConfiguration configuration) : IAsyncDisposable
{
    public const string ConnectionName = "proxy";
    /// <summary>Key of the advisory lock that only one proxy at a time holds to migrate the schema.</summary>
    private const long MigrationLock = 0x43756265_00000002;

    public NpgsqlDataSource Source { get; } = Create(configuration);

    /// <returns>The connection string.</returns>
    /// <exception cref="SettingException">No database is configured.</exception>
    public static string Require(IConfiguration configuration) => configuration.GetConnectionString(ConnectionName) is { Length: > 0 } connectionString
        ? connectionString
        : throw new SettingException($"No database is configured: set ConnectionStrings__{ConnectionName}.");

    /// <exception cref="SettingException">The database cannot be reached, or a migration failed.</exception>
    public void Migrate()
    {
        DefaultTypeMap.MatchNamesWithUnderscores = true;
        Migrations.Run(ConnectionName, typeof(ProxyDatabase).Assembly, Source, Require(configuration), MigrationLock, configuration.GetValue<TimeSpan>(Migrations.StartTimeoutSetting));
    }

    private static NpgsqlDataSource Create(IConfiguration configuration)
    {
        var builder = new NpgsqlDataSourceBuilder(configuration.GetConnectionString(ConnectionName));
        (builder.ConnectionStringBuilder.MaxPoolSize, builder.ConnectionStringBuilder.Timeout, builder.ConnectionStringBuilder.CommandTimeout) = (20, 5, 5);
        return builder.Build();
    }

    public ValueTask DisposeAsync() => Source.DisposeAsync();
}
