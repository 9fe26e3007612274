using Cube.Authorization;
using Cube.Authorization.Relationships;
using Cube.Authorization.Schema;
using Cube.Identity.Domains;
using Cube.ServiceDefaults.Errors;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Npgsql;

namespace Cube.Identity.Relations;

/// <summary>
/// Keeps the authorization engine true to the tables: at the start the whole of it, then what is left in the outbox every second, and
/// the whole again when the engine has lost the schema or has another.
/// </summary>
internal sealed partial class RelationKeeper(Outbox outbox, IAuthorizationEngine engine, BuiltInRoles builtIn, TimeProvider time, ILogger<RelationKeeper> logger)
    : BackgroundService, IHealthCheck
{
    private static readonly TimeSpan SchemaInterval = TimeSpan.FromSeconds(15);

    private volatile string? _fault = "The authorization engine was not reached yet.";

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(TimeSpan.FromSeconds(1), time);
        var (isTrue, lookedAt) = (false, DateTimeOffset.MinValue);
        do
        {
            try
            {
                if (!isTrue || time.GetUtcNow() - lookedAt >= SchemaInterval)
                {
                    if (await EnsureSchemaAsync(stoppingToken) || !isTrue)
                    {
                        await builtIn.UpdateAsync(stoppingToken);
                        await outbox.ReconcileAsync(stoppingToken);
                    }

                    if (!isTrue)
                    {
                        UpToDate(engine.Name);
                    }

                    (isTrue, lookedAt) = (true, time.GetUtcNow());
                }

                await outbox.DeliverAsync(stoppingToken);
                _fault = null;
            }
            catch (Exception exception) when (exception is UnavailableException or NpgsqlException or TimeoutException)
            {
                if (_fault is null || !isTrue)
                {
                    Failed(exception);
                }

                // Whatever it has lost meanwhile is looked for when it is back.
                (_fault, isTrue) = ("The authorization engine does not answer.", false);
            }
        }
        while (await timer.WaitForNextTickAsync(stoppingToken));
    }

    /// <returns>True where it had to be written.</returns>
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
            return ZedSchema.Parse(text).SaysTheSameAs(CubeSchema.Schema);
        }
        catch (ZedException)
        {
            return false;
        }
    }

    public Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default) =>
        Task.FromResult(_fault is { } fault ? HealthCheckResult.Unhealthy(fault) : HealthCheckResult.Healthy());

    [LoggerMessage(Level = LogLevel.Information, Message = "The schema was written to the authorization engine ({Engine})")]
    private partial void SchemaWritten(string engine);

    [LoggerMessage(Level = LogLevel.Information, Message = "Authorization is decided by {Engine}, which is up to date")]
    private partial void UpToDate(string engine);

    [LoggerMessage(Level = LogLevel.Error, Message = "The authorization engine could not be brought up to date; it is tried every second")]
    private partial void Failed(Exception exception);
}
