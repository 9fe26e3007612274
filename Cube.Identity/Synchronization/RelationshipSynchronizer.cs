using System.Net.Sockets;
using Cube.Authorization;
using Cube.Authorization.Relationships;
using Cube.Authorization.Schema;
using Cube.Identity.Roles;
using Cube.ServiceDefaults.Errors;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Npgsql;

namespace Cube.Identity.Synchronization;

/// <summary>
/// Keeps the authorization engine equal to Identity's tables: a full reconciliation at startup and whenever the engine was unavailable or has
/// another schema, and the delivery of the outbox every second.
/// </summary>
internal sealed partial class RelationshipSynchronizer(Outbox outbox, IAuthorizationEngine engine, BuiltInRoles builtIn, TimeProvider time, ILogger<RelationshipSynchronizer> logger)
    : BackgroundService, IHealthCheck
{
    private static readonly TimeSpan SchemaInterval = TimeSpan.FromSeconds(15);

    private volatile string? _error = "The authorization engine has not been reached yet.";

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(TimeSpan.FromSeconds(1), time);
        var (isSynchronized, checkedAt) = (false, DateTimeOffset.MinValue);
        do
        {
            try
            {
                if (!isSynchronized || time.GetUtcNow() - checkedAt >= SchemaInterval)
                {
                    if (await EnsureSchemaAsync(stoppingToken) || !isSynchronized)
                    {
                        await builtIn.UpdateAsync(stoppingToken);
                        await outbox.ReconcileAsync(stoppingToken);
                    }

                    if (!isSynchronized)
                    {
                        UpToDate(engine.Name);
                    }

                    (isSynchronized, checkedAt) = (true, time.GetUtcNow());
                }

                await outbox.ConfirmAsync(stoppingToken);
                _error = null;
            }
            catch (Exception exception) when (exception is UnavailableException or NpgsqlException or TimeoutException or SocketException)
            {
                if (_error is null || !isSynchronized)
                {
                    Failed(exception);
                }

                // The next success reconciles, because the engine may have lost data.
                (_error, isSynchronized) = ("The authorization engine does not answer.", false);
            }
        }
        while (await timer.WaitForNextTickAsync(stoppingToken));
    }

    /// <returns>True when the schema was written.</returns>
    private async Task<bool> EnsureSchemaAsync(CancellationToken ct)
    {
        if (await engine.ReadSchemaAsync(ct) is { } text && IsOurs(text))
        {
            return false;
        }

        await engine.WriteSchemaAsync(CubeSchema.Schema.Text, ct);
        SchemaWritten(engine.Name);
        return true;
    }

    private static bool IsOurs(string text)
    {
        try
        {
            return ZedSchema.Parse(text).IsEquivalentTo(CubeSchema.Schema);
        }
        catch (ZedException)
        {
            return false;
        }
    }

    public Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default) =>
        Task.FromResult(_error is { } error ? HealthCheckResult.Unhealthy(error) : HealthCheckResult.Healthy());

    [LoggerMessage(Level = LogLevel.Information, Message = "Wrote the schema to the authorization engine ({Engine})")]
    private partial void SchemaWritten(string engine);

    [LoggerMessage(Level = LogLevel.Information, Message = "The authorization engine {Engine} is synchronized")]
    private partial void UpToDate(string engine);

    [LoggerMessage(Level = LogLevel.Error, Message = "Failed to synchronize the authorization engine. Retrying every second")]
    private partial void Failed(Exception exception);
}
