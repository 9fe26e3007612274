using Cube.Authorization;
using Cube.Proxy.Authentication;
using Cube.Proxy.Configuration;
using Cube.Proxy.Database;
using Microsoft.Extensions.Caching.Hybrid;
using Npgsql;

namespace Cube.Proxy.Authorization;

/// <summary>
/// Receives Identity's notifications about changed users and domains through <c>NOTIFY</c> in the proxy's database, and removes their cached decisions. While the connection is lost, cached decisions expire after four
/// seconds. After a reconnect, the listener removes all of them.
/// </summary>
internal sealed partial class CacheInvalidationListener(ProxyDatabase database, HybridCache cache, DeletedDomainCleanup deleted, TimeProvider time, ILogger<CacheInvalidationListener> logger) : BackgroundService
{
    private const string AllTags = "*";
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
            catch (Exception exception) when (exception is NpgsqlException or TimeoutException or IOException)
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
        // The callbacks run sequentially during the waits below. Removing a tag is fast.
        connection.Notification += (_, notification) =>
        {
            if (notification.Payload.StartsWith(DeletedDomainCleanup.NotificationPrefix, StringComparison.Ordinal))
            {
                deleted.Trigger();
                return;
            }

            Remove(notification.Payload);
            if (notification.Payload.StartsWith("user:", StringComparison.Ordinal))
            {
                Remove(PersonalAccessTokens.Tag);
            }
        };
        await using (var listen = new NpgsqlCommand($"listen {CacheInvalidation.Channel}", connection))
        {
            await listen.ExecuteNonQueryAsync(ct);
        }

        Remove(AllTags);
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

    private void Remove(string tag)
    {
        var removal = cache.RemoveByTagAsync(tag);
        if (!removal.IsCompletedSuccessfully)
        {
            _ = LogFailureAsync(removal.AsTask());
        }
    }

    private async Task LogFailureAsync(Task removal)
    {
        try
        {
            await removal;
        }
        catch (Exception exception)
        {
            RemovalFailed(exception);
        }
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "Listening for changes that invalidate cached decisions")]
    private partial void Listening();

    [LoggerMessage(Level = LogLevel.Warning, Message = "The connection for change notifications is lost. Cached decisions expire after four seconds")]
    private partial void Disconnected(Exception exception);

    [LoggerMessage(Level = LogLevel.Error, Message = "Cached decisions could not be removed. They expire after four seconds")]
    private partial void RemovalFailed(Exception exception);
}
