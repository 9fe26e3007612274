using System.Diagnostics;
using System.Diagnostics.Metrics;
using Cube.Proxy.Edge;

namespace Cube.Proxy.Observability;

/// <summary>Duration (and so count) of requests by domain, endpoint, route and status, and how many are under way.</summary>
internal sealed class MetricsStage
{
    private readonly RequestDelegate _next;
    private readonly Histogram<double> _duration;
    private readonly UpDownCounter<long> _active;

    public MetricsStage(RequestDelegate next, IMeterFactory meters)
    {
        _next = next;
        var meter = meters.Create("Cube.Proxy");
        _duration = meter.CreateHistogram(
            "cube.proxy.request.duration", "s", "Time from a request's admission to the end of its answer.",
            advice: new InstrumentAdvice<double> { HistogramBucketBoundaries = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600] });
        _active = meter.CreateUpDownCounter<long>("cube.proxy.active_requests", "{request}", "Requests under way.");
    }

    public async Task InvokeAsync(HttpContext context)
    {
        var start = Stopwatch.GetTimestamp();
        _active.Add(1);
        try
        {
            await _next(context);
        }
        finally
        {
            _active.Add(-1);
            var request = DomainRequest.Of(context);
            _duration.Record(
                Stopwatch.GetElapsedTime(start).TotalSeconds,
                new("cube.domain.id", request.DomainId),
                new("cube.endpoint", request.Endpoint?.Name ?? "unknown"),
                new("cube.route", request.Route?.Name ?? "none"),
                new("http.response.status_code", context.Response.StatusCode));
        }
    }
}
