using Cube.Inference.Errors;
using Cube.ServiceDefaults.Errors;
using Cube.ServiceDefaults.Hosting;

namespace Cube.Proxy.Edge;

/// <summary>Gives every failure below a domain's path OpenAI's error envelope, exceptions and empty responses included. After a response has started, it aborts the connection instead.</summary>
internal sealed partial class DomainErrorMiddleware(RequestDelegate next, ILogger<DomainErrorMiddleware> logger)
{
    public Task InvokeAsync(HttpContext context) => DomainPath.Matches(context) ? HandleAsync(context) : next(context);

    private async Task HandleAsync(HttpContext context)
    {
        try
        {
            await next(context);
            await WriteEmptyErrorAsync(context);
        }
        catch (OperationCanceledException) when (context.RequestAborted.IsCancellationRequested)
        {
            context.Response.StatusCode = StatusCodes.Status499ClientClosedRequest;
        }
        catch (RequestRejectedException rejected) when (!context.Response.HasStarted)
        {
            await rejected.Error.WriteAsync(context);
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
                // A client must not take half a response for a whole one.
                context.Abort();
                return;
            }

            context.Response.Clear();
            await error.WriteAsync(context);
        }
    }

    /// <summary>Routing answers a wrong method with an empty 405.</summary>
    private static async Task WriteEmptyErrorAsync(HttpContext context)
    {
        var response = context.Response;
        if (response.HasStarted || response.ContentType is not null || response.ContentLength is not null)
        {
            return;
        }

        switch (response.StatusCode)
        {
            case StatusCodes.Status405MethodNotAllowed:
                response.Headers.Allow = HeadRequests.WithHead(response.Headers.Allow.ToString());
                await OpenAiError.MethodNotAllowed.WriteAsync(context);
                break;
            case StatusCodes.Status404NotFound:
                await OpenAiError.UnknownUrl.WriteAsync(context);
                break;
        }
    }

    [LoggerMessage(Level = LogLevel.Error, Message = "Request {RequestId} failed: {Code}")]
    private partial void Failed(string code, string requestId, Exception exception);
}
