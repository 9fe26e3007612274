namespace Cube.Proxy.Limits;

/// <summary>
/// Returns the memory of large bodies to the operating system after many of them were in use. The garbage collector returns freed memory only when it runs again, and it does not run while the proxy is idle.
/// </summary>
internal sealed class MemoryReleaseService(InFlightCounter inFlight, TimeProvider time) : BackgroundService
{
    /// <summary>The use of memory in bytes that triggers a collection after it has ended.</summary>
    private const long ThresholdBytes = 64L << 20;
    private static readonly TimeSpan CheckInterval = TimeSpan.FromSeconds(5);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        var isCollectionPending = false;
        using var timer = new PeriodicTimer(CheckInterval, time);
        try
        {
            while (await timer.WaitForNextTickAsync(stoppingToken))
            {
                isCollectionPending |= inFlight.TakePeak() >= ThresholdBytes;
                if (isCollectionPending && inFlight.Bytes < ThresholdBytes)
                {
                    isCollectionPending = false;
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
