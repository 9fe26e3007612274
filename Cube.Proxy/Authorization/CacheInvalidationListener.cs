using System.Net.Sockets;
using Cube.Authorization;
using Cube.Proxy.Caching;
using Cube.Proxy.Configuration;
using Cube.Proxy.Database;
using Npgsql;

namespace Cube.Proxy.Authorization;

/// <summary>
/// Receives Identity's notifications about changed users and domains through <c>NOTIFY</c> in the proxy's database, and removes their cached decisions. While no confirmation arrives, for example because the connection is
/// lost, cached decisions expire after four seconds. After a reconnect, the listener removes all of them.
/// </summary>
internal sealed partial class CacheInvalidationListener(ProxyDatabase database, DecisionCache cache, DeletedDomainCleanup deleted, TimeProvider time, ILogger<CacheInvalidationListener> logger) : BackgroundService
{
    private static readonly TimeSpan ReconnectDelay = TimeSpan.FromSeconds(1);

    /// <summary>The interval of a query that detects a lost connection.</summary>
    private static readonly TimeSpan ProbeInterval = TimeSpan.FromSeconds(15);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        for (var isDisconnected = false; !stoppingToken.IsCancellationRequested;)
        {
            try
            {
                await ListenAsync(stoppingToken);
            }
            catch (Exception exception) when (exception is NpgsqlException or TimeoutException or IOException or SocketException)
            {
                if (!isDisconnected)
                {
                    Disconnected(exception);
                }

                isDisconnected = true;
                await Task.Delay(ReconnectDelay, time, stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
                continue;
            }
            catch (OperationCanceledException)
            {
                return;
            }

            isDisconnected = false;
        }
    }

    private async Task ListenAsync(CancellationToken ct)
    {
        await using var connection = await database.Source.OpenConnectionAsync(ct);
        // The callbacks run sequentially during the waits below. Removing results is fast.
        connection.Notification += (_, notification) =>
        {
            if (notification.Payload.StartsWith(DeletedDomainCleanup.NotificationPrefix, StringComparison.Ordinal))
            {
                deleted.Trigger();
                return;
            }

            Remove(notification.Payload);
        };
        await using (var listen = new NpgsqlCommand($"listen {CacheInvalidation.Channel}", connection))
        {
            await listen.ExecuteNonQueryAsync(ct);
        }

        cache.Reset();
        deleted.Trigger();
        Listening();
        while (true)
        {
            if (!await connection.WaitAsync(ProbeInterval, ct))
            {
                await using var probe = new NpgsqlCommand("select 1", connection);
                await probe.ExecuteNonQueryAsync(ct);
            }
        }
    }

    /// <param name="notification">As <see cref="CacheInvalidation"/> writes it: <c>user:</c> or <c>domain:</c> and an id.</param>
    private void Remove(string notification)
    {
        var separator = notification.IndexOf(':', StringComparison.Ordinal);
        switch (separator < 0 ? "" : notification[..separator])
        {
            case "" when notification == CacheInvalidation.Confirmed:
                cache.Confirm();
                break;
            case "user" when Guid.TryParse(notification.AsSpan(separator + 1), out var user):
                cache.RemoveUser(user);
                break;
            case "domain" when Guid.TryParse(notification.AsSpan(separator + 1), out var domain):
                cache.RemoveDomain(domain);
                break;
            default:
                // A later version of Identity can know other changes.
                cache.Clear();
                break;
        }
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "Listening for changes that invalidate cached decisions")]
    private partial void Listening();

    [LoggerMessage(Level = LogLevel.Warning, Message = "The connection for change notifications is lost. Cached decisions expire after four seconds")]
    private partial void Disconnected(Exception exception);
}
