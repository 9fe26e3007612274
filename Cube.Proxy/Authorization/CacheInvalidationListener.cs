using Cube.Authorization;
using Cube.Proxy.Authentication;
using Cube.Proxy.Configuration;
using Cube.Proxy.Database;
using Microsoft.Extensions.Caching.Hybrid;
using Npgsql;

namespace Cube.Proxy.Authorization;

/// <summary>
/// Hears from Identity, through <c>NOTIFY</c> in this proxy's database, whose cached decisions are of yesterday. While it cannot hear,
/// decisions live their four seconds; when it hears again, all are dropped.
/// </summary>
internal sealed partial class CacheInvalidationListener(ProxyDatabase database, HybridCache cache, DeletedDomainCleanup deleted, TimeProvider time, ILogger<CacheInvalidationListener> logger) : BackgroundService
{
    private const string Everything = "*";
    private static readonly TimeSpan Pause = TimeSpan.FromSeconds(1);

    /// <summary>A connection whose other end is gone without a word is noticed by asking.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(15);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        for (var isDeaf = false; !stoppingToken.IsCancellationRequested;)
        {
            try
            {
                await ListenAsync(stoppingToken);
            }
            catch (Exception exception) when (exception is NpgsqlException or TimeoutException or IOException)
            {
                if (!isDeaf)
                {
                    Deaf(exception);
                }

                isDeaf = true;
                await Task.Delay(Pause, time, stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
                continue;
            }
            catch (OperationCanceledException)
            {
                return;
            }

            isDeaf = false;
        }
    }

    private async Task ListenAsync(CancellationToken ct)
    {
        await using var connection = await database.Source.OpenConnectionAsync(ct);
        // Callbacks run one after the other, between the waits below; dropping a tag is a dictionary entry.
        connection.Notification += (_, notice) =>
        {
            if (notice.Payload.StartsWith(DeletedDomainCleanup.NotificationPrefix, StringComparison.Ordinal))
            {
                deleted.Trigger();
                return;
            }

            Drop(notice.Payload);
            if (notice.Payload.StartsWith("user:", StringComparison.Ordinal))
            {
                Drop(PersonalAccessTokens.Tag);
            }
        };
        await using (var listen = new NpgsqlCommand($"listen {CacheInvalidation.Channel}", connection))
        {
            await listen.ExecuteNonQueryAsync(ct);
        }

        Drop(Everything);
        deleted.Trigger();
        Listening();
        while (true)
        {
            if (!await connection.WaitAsync(Patience, ct))
            {
                await using var probe = new NpgsqlCommand("select 1", connection);
                await probe.ExecuteNonQueryAsync(ct);
            }
        }
    }

    private void Drop(string tag)
    {
        var dropped = cache.RemoveByTagAsync(tag);
        if (!dropped.IsCompletedSuccessfully)
        {
            _ = dropped.AsTask().ContinueWith(task => NotDropped(task.Exception!), CancellationToken.None, TaskContinuationOptions.OnlyOnFaulted, TaskScheduler.Default);
        }
    }


    [LoggerMessage(Level = LogLevel.Information, Message = "Listening for changes that make cached decisions stale")]
    private partial void Listening();

    [LoggerMessage(Level = LogLevel.Warning, Message = "Changes cannot be heard of now; cached decisions live four seconds and no longer")]
    private partial void Deaf(Exception exception);

    [LoggerMessage(Level = LogLevel.Error, Message = "Cached decisions could not be dropped; they live four seconds and no longer")]
    private partial void NotDropped(Exception exception);
}
