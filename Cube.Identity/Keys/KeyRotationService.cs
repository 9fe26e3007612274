using System.Net.Sockets;
using Npgsql;

namespace Cube.Identity.Keys;

/// <summary>Rotates the signing keys at startup and checks once a minute whether the next rotation is due.</summary>
internal sealed partial class KeyRotationService(KeyRing keys, TimeProvider time, ILogger<KeyRotationService> logger) : BackgroundService
{
    // Before the first request, so that the service does not start without a key.
    public override async Task StartAsync(CancellationToken cancellationToken)
    {
        await keys.RotateAsync(cancellationToken);
        await base.StartAsync(cancellationToken);
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(TimeSpan.FromMinutes(1), time);
        while (await timer.WaitForNextTickAsync(stoppingToken))
        {
            try
            {
                await keys.RotateAsync(stoppingToken);
            }
            catch (Exception exception) when (exception is NpgsqlException or TimeoutException or SocketException)
            {
                NotRotated(exception);
            }
        }
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "The rotation of signing keys failed. The current key stays in use")]
    private partial void NotRotated(Exception exception);
}
