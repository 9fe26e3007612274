using System.Collections.Frozen;
using System.Diagnostics;
using System.Diagnostics.Metrics;
using Cube.Proxy.Authorization;
using Cube.Proxy.Configuration.Routes;
using Cube.Proxy.Edge;
using Cube.Proxy.Inference;

namespace Cube.Proxy.Telemetry;

/// <summary>
/// Measures, traces and logs every request below a domain, including rejected ones. The domain is recorded only if the caller is a member, so that other callers cannot create label values. Prompts and responses are
/// not recorded.
/// </summary>
internal sealed partial class RequestTelemetryMiddleware
{
    private static readonly FrozenSet<string> _methods = FrozenSet.Create(StringComparer.Ordinal, "CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE");

    private readonly RequestDelegate _next;
    private readonly ILogger<RequestTelemetryMiddleware> _logger;
    private readonly Histogram<double> _duration;
    private readonly UpDownCounter<long> _active;

    public RequestTelemetryMiddleware(RequestDelegate next, IMeterFactory meters, ILogger<RequestTelemetryMiddleware> logger)
    {
        (_next, _logger) = (next, logger);
        var meter = meters.Create("Cube.Proxy");
        _duration = meter.CreateHistogram(
            "cube.proxy.request.duration", "s", "Time from the arrival of a request to the end of its response.",
            advice: new InstrumentAdvice<double> { HistogramBucketBoundaries = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600] });
        _active = meter.CreateUpDownCounter<long>("cube.proxy.active_requests", "{request}", "Requests in progress.");
    }

    public Task InvokeAsync(HttpContext context) => DomainPath.Matches(context) ? ObserveAsync(context) : _next(context);

    private async Task ObserveAsync(HttpContext context)
    {
        var start = Stopwatch.GetTimestamp();
        // The span of the server: later steps can start other spans.
        var activity = Activity.Current;
        _active.Add(1);
        try
        {
            await _next(context);
        }
        finally
        {
            _active.Add(-1);
            Record(context, activity, Stopwatch.GetElapsedTime(start));
        }
    }

    private void Record(HttpContext context, Activity? activity, TimeSpan elapsed)
    {
        var endpoint = context.GetEndpoint()?.Metadata.GetMetadata<DomainEndpointMetadata>();
        var member = context.Features.Get<DomainMember>();
        var route = context.Features.Get<Route>();
        var status = context.Response.StatusCode;
        _duration.Record(
            elapsed.TotalSeconds,
            new("cube.domain.id", member?.DomainId),
            new("cube.endpoint", endpoint?.Name ?? "unknown"),
            new("cube.route", route?.Name ?? "none"),
            new("http.response.status_code", status));
        if (activity is { IsAllDataRequested: true })
        {
            var path = $"/{{domainID}}{endpoint?.Path}";
            // A client can send any token as the method. "_OTHER" is OpenTelemetry's name for unknown ones.
            activity.DisplayName = $"{(_methods.Contains(context.Request.Method) ? context.Request.Method : "_OTHER")} {path}";
            activity.SetTag("http.route", path)
                .SetTag("cube.endpoint", endpoint?.Name)
                .SetTag("cube.route", route?.Name)
                .SetTag("cube.event_type", route?.Definition.EventType)
                .SetTag("cube.domain.id", member?.DomainId)
                .SetTag("enduser.id", member?.Caller.UserId);
        }

        if (_logger.IsEnabled(LogLevel.Information))
        {
            var outcome = context.Features.Get<ResponseOutcome>();
            var (end, usage) = (EndOf(outcome?.End, status), outcome?.Usage ?? default);
            var milliseconds = elapsed.TotalMilliseconds;
            Handled(
                endpoint?.Name ?? "unknown", status, milliseconds, route?.Name ?? "none", member?.DomainId, member?.Caller.UserId, context.TraceIdentifier,
                end, usage.Prompt, usage.Completion);
        }
    }

    private static string EndOf(ResponseEnd? end, int status) => end switch
    {
        ResponseEnd.Aborted => "Aborted",
        ResponseEnd.Failed => "Failed",
        null when status >= StatusCodes.Status400BadRequest => "Refused",
        _ => "Complete",
    };

    [LoggerMessage(Level = LogLevel.Information,
        Message = "{Endpoint} responded with {Status} in {Milliseconds:F1} ms: route {Route}, domain {Domain}, user {User}, request {RequestId}, {End}, {PromptTokens} prompt tokens, {CompletionTokens} completion tokens")]
    private partial void Handled(string endpoint, int status, double milliseconds, string route, Guid? domain, Guid? user, string requestId, string end, long promptTokens, long completionTokens);
}
