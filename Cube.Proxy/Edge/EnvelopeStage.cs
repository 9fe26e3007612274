using Cube.ServiceDefaults.Errors;

namespace Cube.Proxy.Edge;

/// <summary>Outermost stage of a tenant's path: whatever goes wrong inside comes out as OpenAI's envelope, or not at all once an answer has begun.</summary>
internal sealed partial class EnvelopeStage(RequestDelegate next, ILogger<EnvelopeStage> logger)
{
    public async Task InvokeAsync(HttpContext context)
    {
        context.Features.Set(new DomainRequest());
        try
        {
            await next(context);
        }
        catch (OperationCanceledException) when (context.RequestAborted.IsCancellationRequested)
        {
            context.Response.StatusCode = StatusCodes.Status499ClientClosedRequest;
        }
        catch (Exception exception)
        {
            var error = exception switch
            {
                BadHttpRequestException { StatusCode: StatusCodes.Status413PayloadTooLarge } => OpenAiError.RequestTooLarge,
                BadHttpRequestException => OpenAiError.BadHttp,
                UnavailableException => OpenAiError.Unavailable,
                _ => OpenAiError.InternalError,
            };
            if (error.Status >= StatusCodes.Status500InternalServerError)
            {
                Failed(error.Code, context.TraceIdentifier, exception);
            }

            if (context.Response.HasStarted)
            {
                // Never a clean end after a failure: the client must notice.
                context.Abort();
                return;
            }

            context.Response.Clear();
            await error.WriteAsync(context);
        }
    }

    [LoggerMessage(Level = LogLevel.Error, Message = "Request {RequestId} failed: {Code}")]
    private partial void Failed(string code, string requestId, Exception exception);
}
