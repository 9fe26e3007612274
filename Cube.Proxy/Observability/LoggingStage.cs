using System.Diagnostics;
using Cube.Proxy.Edge;
using Cube.Proxy.OpenAi.Answers;

namespace Cube.Proxy.Observability;

/// <summary>One line a request: who, where, how it ended, how long it took, what it cost. Nothing of what was asked or answered.</summary>
internal sealed partial class LoggingStage(RequestDelegate next, ILogger<LoggingStage> logger)
{
    public async Task InvokeAsync(HttpContext context)
    {
        var start = Stopwatch.GetTimestamp();
        try
        {
            await next(context);
        }
        finally
        {
            if (logger.IsEnabled(LogLevel.Information))
            {
                var request = DomainRequest.Of(context);
                var elapsed = Stopwatch.GetElapsedTime(start).TotalMilliseconds;
                var (end, usage) = (EndOf(request.End, context.Response.StatusCode), request.Usage ?? default);
                Handled(
                    request.Endpoint?.Name ?? "unknown", context.Response.StatusCode, elapsed, request.Route?.Name ?? "none", request.DomainId, request.Caller?.UserId, context.TraceIdentifier,
                    end, usage.Prompt, usage.Completion);
            }
        }
    }

    private static string EndOf(AnswerEnd? end, int status) => end switch
    {
        AnswerEnd.Aborted => "Aborted",
        AnswerEnd.Failed => "Failed",
        null when status >= StatusCodes.Status400BadRequest => "Refused",
        _ => "Complete",
    };

    [LoggerMessage(Level = LogLevel.Information,
        Message = "{Endpoint} answered {Status} in {Milliseconds:F1} ms: route {Route}, domain {Domain}, user {User}, request {RequestId}, {End}, {PromptTokens} and {CompletionTokens} tokens")]
    private partial void Handled(string endpoint, int status, double milliseconds, string route, Guid domain, Guid? user, string requestId, string end, long promptTokens, long completionTokens);
}
