using Cube.Inference.Errors;
using Cube.ServiceDefaults.Errors;
using Cube.ServiceDefaults.Hosting;

namespace Cube.Proxy.Edge;

/// <summary>Writes every error below a domain's path in OpenAI's format, including exceptions and empty error responses. If the response has started, the middleware aborts the connection.</summary>
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
                // The client must not accept a partial response as complete.
                context.Abort();
                return;
            }

            context.Response.Clear();
            await error.WriteAsync(context);
        }
    }

    /// <summary>Writes the body of the empty 404 and 405 responses of ASP.NET's routing.</summary>
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
