using System.Diagnostics;
using System.Diagnostics.Metrics;
using System.Globalization;
using Cube.Http2;

namespace Cube.Proxy.Attestation.Connections;

/// <summary>A client span and a measurement for each request to an agent, until its response begins, as .NET's HttpClient would make them. The attributes are those of OpenTelemetry for HTTP clients.</summary>
internal static class AgentTelemetry
{
    private static readonly ActivitySource _source = new("Cube.Proxy.Agent");
    private static readonly Meter _meter = new("Cube.Proxy.Agent");
    private static readonly Histogram<double> _duration = _meter.CreateHistogram(
        "cube.proxy.agent.request.duration", "s", "Time from a request to an agent to the start of its response.",
        advice: new InstrumentAdvice<double> { HistogramBucketBoundaries = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600] });

    /// <summary>Whether spans or measurements are collected. Otherwise a request pays nothing for them.</summary>
    public static bool IsEnabled => _duration.Enabled || _source.HasListeners();

    /// <param name="agent">The address of the agent.</param>
    /// <param name="method">The HTTP method.</param>
    /// <param name="send">Sends the request, within the span.</param>
    public static async ValueTask<Http2Response> ObserveAsync(Uri agent, string method, Func<ValueTask<Http2Response>> send)
    {
        using var activity = _source.StartActivity(method, ActivityKind.Client);
        var start = Stopwatch.GetTimestamp();
        var outcome = "";
        try
        {
            var response = await send();
            outcome = response.Status.ToString(CultureInfo.InvariantCulture);
            return response;
        }
        catch (Exception exception)
        {
            // The type only: a message can contain an address, but never content.
            outcome = exception.GetType().Name;
            activity?.SetStatus(ActivityStatusCode.Error).SetTag("error.type", outcome);
            throw;
        }
        finally
        {
            activity?.SetTag("http.request.method", method).SetTag("server.address", agent.Host).SetTag("server.port", agent.Port).SetTag("http.response.status_code", outcome);
            _duration.Record(Stopwatch.GetElapsedTime(start).TotalSeconds, new("server.address", agent.Host), new("http.response.status_code", outcome));
        }
    }
}
