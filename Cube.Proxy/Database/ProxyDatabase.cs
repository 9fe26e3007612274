using Cube.Database;
using Cube.ServiceDefaults.Hosting;
using Dapper;
using Npgsql;

namespace Cube.Proxy.Database;

/// <summary>The database of the proxies: what they must agree on.</summary>
internal sealed class ProxyDatabase(IConfiguration configuration) : IAsyncDisposable
{
    public const string ConnectionName = "proxy";
    private const long MigrationLock = 0x43756265_00000002;

    public NpgsqlDataSource Source { get; } = Create(configuration);

    /// <exception cref="SettingException">No database is configured.</exception>
    public static void Require(IConfiguration configuration)
    {
        if (string.IsNullOrEmpty(configuration.GetConnectionString(ConnectionName)))
        {
            throw new SettingException($"No database is configured: set ConnectionStrings__{ConnectionName}.");
        }
    }

    /// <exception cref="SettingException">It cannot be reached or brought up to date.</exception>
    public void Migrate()
    {
        DefaultTypeMap.MatchNamesWithUnderscores = true;
        Migrations.Run(ConnectionName, typeof(ProxyDatabase).Assembly, Source, configuration.GetConnectionString(ConnectionName)!, MigrationLock);
    }

    private static NpgsqlDataSource Create(IConfiguration configuration)
    {
        var builder = new NpgsqlDataSourceBuilder(configuration.GetConnectionString(ConnectionName));
        (builder.ConnectionStringBuilder.MaxPoolSize, builder.ConnectionStringBuilder.Timeout, builder.ConnectionStringBuilder.CommandTimeout) = (20, 5, 5);
        return builder.Build();
    }

    public ValueTask DisposeAsync() => Source.DisposeAsync();
}
