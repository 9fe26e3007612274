using System.Collections.Concurrent;
using System.Diagnostics;
using System.Diagnostics.Metrics;
using Cube.Inference.Errors;
using Microsoft.Extensions.Options;

namespace Cube.Proxy.Limits;

/// <summary>The queue of each target of the routes.</summary>
internal sealed class BackendQueues
{
    private readonly ConcurrentDictionary<Uri, BackendQueue> _queues = new();
    private readonly IOptions<BackendLimitOptions> _options;
    private readonly TimeProvider _time;
    private readonly Histogram<double> _waitTime;

    public BackendQueues(IOptions<BackendLimitOptions> options, TimeProvider time, IMeterFactory meters)
    {
        (_options, _time) = (options, time);
        var meter = meters.Create("Cube.Proxy");
        _waitTime = meter.CreateHistogram<double>("cube.proxy.backend.wait_time", "s", "Time that requests waited because a target had reached its limit of concurrent requests.");
        meter.CreateObservableGauge("cube.proxy.backend.active_requests", () => Measure(static queue => queue.Running), "{request}", "Concurrent requests, by target.");
        meter.CreateObservableGauge("cube.proxy.backend.waiting_requests", () => Measure(static queue => queue.Waiting), "{request}", "Requests that wait for a target.");
    }

    /// <param name="target">The target of the route.</param>
    /// <param name="domain">The domain of the request.</param>
    /// <param name="ct">Ends the wait.</param>
    /// <inheritdoc cref="BackendQueue.EnterAsync" path="/returns"/>
    /// <inheritdoc cref="BackendQueue.EnterAsync" path="/exception"/>
    public ValueTask<OpenAiError?> EnterAsync(Uri target, Guid domain, CancellationToken ct)
    {
        var entered = QueueOf(target).EnterAsync(domain, ct);
        return entered.IsCompletedSuccessfully ? entered : new(WaitAsync(entered));
    }

    public void Leave(Uri target) => QueueOf(target).Leave();

    private BackendQueue QueueOf(Uri target) =>
        _queues.TryGetValue(target, out var queue) ? queue : _queues.GetOrAdd(target, static (_, queues) => new BackendQueue(queues._options.Value, queues._time), this);

    private async Task<OpenAiError?> WaitAsync(ValueTask<OpenAiError?> entered)
    {
        var start = Stopwatch.GetTimestamp();
        try
        {
            return await entered;
        }
        finally
        {
            _waitTime.Record(Stopwatch.GetElapsedTime(start).TotalSeconds);
        }
    }

    private IEnumerable<Measurement<int>> Measure(Func<BackendQueue, int> value) =>
        _queues.Select(queue => new Measurement<int>(value(queue.Value), new KeyValuePair<string, object?>("server.address", queue.Key.Authority)));
}
