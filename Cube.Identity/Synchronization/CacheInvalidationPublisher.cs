using System.Net.Sockets;
using Cube.Authorization;
using Cube.ServiceDefaults.Hosting;
using Dapper;
using Npgsql;

namespace Cube.Identity.Synchronization;

/// <summary>
/// Invalidates cached decisions in all proxies with <c>NOTIFY</c> in their database, where Identity has no other privilege.
/// </summary>
internal sealed partial class CacheInvalidationPublisher(CacheInvalidationPublisher.Source source, ILogger<CacheInvalidationPublisher> logger)
{
    /// <summary>The connection string of the proxies' database, for a database role without privileges on its tables.</summary>
    public const string ConnectionName = "notify";

    /// <summary>Whether the last notices could not be sent. The confirmation is retried every second, and the failure is logged once.</summary>
    private volatile bool _isLost;

    /// <returns>False if the notices could not be sent. Then the proxies get no confirmation, and their decisions expire within five seconds.</returns>
    public async Task<bool> NotifyAsync(string[] notices)
    {
        if (notices.Length == 0)
        {
            return true;
        }

        try
        {
            await using var connection = await source.Proxies.OpenConnectionAsync();
            await connection.ExecuteAsync("select pg_notify(@Channel, notice) from unnest(@notices) notice", new { CacheInvalidation.Channel, notices });
            _isLost = false;
            return true;
        }
        catch (Exception exception) when (exception is NpgsqlException or TimeoutException or SocketException)
        {
            if (!_isLost)
            {
                Lost(exception);
            }

            _isLost = true;
            return false;
        }
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "Failed to publish a cache invalidation. The proxies' cached decisions expire within five seconds")]
    private partial void Lost(Exception exception);

    /// <summary>The data source of the proxies' database, in its own type to keep it apart from Identity's.</summary>
    public sealed class Source(IConfiguration configuration) : IAsyncDisposable
    {
        public NpgsqlDataSource Proxies { get; } = Create(configuration.GetConnectionString(ConnectionName));

        /// <exception cref="SettingException">The connection string is not configured.</exception>
        public static void Require(IConfiguration configuration)
        {
            if (string.IsNullOrEmpty(configuration.GetConnectionString(ConnectionName)))
            {
                throw new SettingException($"The proxies' database is not configured: set ConnectionStrings__{ConnectionName}.");
            }
        }

        private static NpgsqlDataSource Create(string? connectionString)
        {
            var builder = new NpgsqlDataSourceBuilder(connectionString);
            // A confirmation must not arrive late.
            (builder.ConnectionStringBuilder.MaxPoolSize, builder.ConnectionStringBuilder.Timeout, builder.ConnectionStringBuilder.CommandTimeout) = (4, 1, 1);
            return builder.Build();
        }

        public ValueTask DisposeAsync() => Proxies.DisposeAsync();
    }
}
