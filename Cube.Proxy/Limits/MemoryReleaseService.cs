namespace Cube.Proxy.Limits;

/// <summary>
/// Gives the memory of large bodies back to the operating system after a burst of them. The garbage collector keeps what it has freed until it runs again, and a proxy that is idle
/// afterwards gives it no reason to run.
/// </summary>
internal sealed class MemoryReleaseService(InFlightCounter inFlight, TimeProvider time) : BackgroundService
{
    private const long Burst = 64L << 20;
    private static readonly TimeSpan Pause = TimeSpan.FromSeconds(5);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        var isOwed = false;
        using var timer = new PeriodicTimer(Pause, time);
        try
        {
            while (await timer.WaitForNextTickAsync(stoppingToken))
            {
                isOwed |= inFlight.TakePeak() >= Burst;
                if (isOwed && inFlight.Bytes < Burst)
                {
                    isOwed = false;
                    GC.Collect(GC.MaxGeneration, GCCollectionMode.Aggressive, blocking: true, compacting: true);
                }
            }
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            // The service stops.
        }
    }
}
