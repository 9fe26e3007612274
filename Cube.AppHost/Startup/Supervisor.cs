using Microsoft.Extensions.Hosting;

namespace Cube.AppHost.Startup;

/// <summary>
/// Restarts services that end unexpectedly, because DCP does not. A service that is stopped in the dashboard stays stopped.
/// </summary>
internal sealed class Supervisor(
    Topology topology, ResourceNotificationService resources, ResourceCommandService commands, IHostApplicationLifetime lifetime) : IDisposable
{
    private static readonly TimeSpan FirstPause = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan LongestPause = TimeSpan.FromSeconds(30);

    private readonly CancellationTokenSource _stop = new();
    private Task _watching = Task.CompletedTask;

    public void Start() => _watching = WatchAsync(CancellationTokenSource.CreateLinkedTokenSource(_stop.Token, lifetime.ApplicationStopping).Token);

    private async Task WatchAsync(CancellationToken ct)
    {
        var states = new Dictionary<string, string?>();
        var pauses = new Dictionary<string, TimeSpan>();
        try
        {
            await foreach (var change in resources.WatchAsync(ct))
            {
                var (id, state) = (change.ResourceId, change.Snapshot.State?.Text);
                var before = states.GetValueOrDefault(id);
                states[id] = state;
                if (state == before || change.Resource is not (ExecutableResource or ProjectResource) || !topology.Awaited.Contains(change.Resource))
                {
                    continue;
                }

                if (before == KnownResourceStates.Running && (state == KnownResourceStates.Exited || state == KnownResourceStates.Finished))
                {
                    var pause = pauses.GetValueOrDefault(id, FirstPause);
                    pauses[id] = pause * 2 < LongestPause ? pause * 2 : LongestPause;
                    Console.WriteLine($"  {change.Resource.Name,-12}ended unexpectedly and is restarted");
                    _ = RestartAsync(change.Resource, pause, ct);
                }
            }
        }
        catch (OperationCanceledException)
        {
            // The application stops.
        }
    }

    private async Task RestartAsync(IResource resource, TimeSpan pause, CancellationToken ct)
    {
        for (; !ct.IsCancellationRequested; pause = pause * 2 < LongestPause ? pause * 2 : LongestPause)
        {
            await Task.Delay(pause, ct).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            if (ct.IsCancellationRequested || (await commands.ExecuteCommandAsync(resource, KnownResourceCommands.StartCommand, ct)).Success)
            {
                return;
            }
        }
    }

    public void Dispose()
    {
        _stop.Cancel();
        _stop.Dispose();
    }
}
