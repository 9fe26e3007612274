using System.Text.Json.Serialization;
using Cube.ServiceDefaults.Hosting;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.WebUtilities;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Cube.ServiceDefaults.Errors;

/// <summary>The error body of every management path: a stable code and a message for people.</summary>
public sealed record ManagementError(
    [property: JsonPropertyName("error")] string Error,
    [property: JsonPropertyName("message")] string Message)
{
    public Task WriteAsync(HttpContext context, int status)
    {
        context.Response.StatusCode = status;
        return context.Response.WriteAsJsonAsync(this, ManagementErrorJson.Default.ManagementError, cancellationToken: context.RequestAborted);
    }

    /// <summary>The default error for a status.</summary>
    public static ManagementError Of(int status) => status switch
    {
        StatusCodes.Status400BadRequest => new("bad_request", "The request is not well formed."),
        StatusCodes.Status401Unauthorized => new("unauthorized", "A valid access token is required."),
        StatusCodes.Status403Forbidden => new("forbidden", "You do not have permission for this operation."),
        StatusCodes.Status404NotFound => new("not_found", "The path does not exist."),
        StatusCodes.Status405MethodNotAllowed => new("method_not_allowed", "This path does not support the method."),
        StatusCodes.Status413PayloadTooLarge => new("payload_too_large", "The request body is too large."),
        StatusCodes.Status415UnsupportedMediaType => new("unsupported_media_type", "The body must be application/json."),
        StatusCodes.Status502BadGateway or StatusCodes.Status503ServiceUnavailable or StatusCodes.Status504GatewayTimeout =>
            new("unavailable", "The service is temporarily unavailable. Try again."),
        >= 500 => new("internal_error", "The service failed to process the request."),
        _ => new("refused", $"{ReasonPhrases.GetReasonPhrase(status)}."),
    };
}

[JsonSerializable(typeof(ManagementError))]
internal sealed partial class ManagementErrorJson : JsonSerializerContext;

public static partial class ManagementErrorExtensions
{
    /// <summary>Answers exceptions and failures without a body with a <see cref="ManagementError"/>.</summary>
    public static IApplicationBuilder UseManagementErrors(this IApplicationBuilder app)
    {
        var logger = app.ApplicationServices.GetRequiredService<ILoggerFactory>().CreateLogger("Cube.Errors");
        app.Use(async (context, next) =>
        {
            try
            {
                await next(context);
            }
            catch (OperationCanceledException) when (context.RequestAborted.IsCancellationRequested)
            {
                context.Response.StatusCode = StatusCodes.Status499ClientClosedRequest;
            }
            catch (BadHttpRequestException exception) when (!context.Response.HasStarted)
            {
                await ManagementError.Of(exception.StatusCode).WriteAsync(context, exception.StatusCode);
            }
            catch (System.Data.Common.DbException exception) when (exception.SqlState is "22021" or "22P02" or "22P05" && !context.Response.HasStarted)
            {
                // Text that PostgreSQL cannot store, such as U+0000 or an unpaired surrogate.
                await new ManagementError("invalid_request", "The request contains a character that cannot be stored.")
                    .WriteAsync(context, StatusCodes.Status400BadRequest);
            }
            catch (Exception exception) when (!context.Response.HasStarted)
            {
                var status = exception is UnavailableException or TimeoutException or System.Data.Common.DbException { IsTransient: true }
                    ? StatusCodes.Status503ServiceUnavailable
                    : StatusCodes.Status500InternalServerError;
                Failed(logger, status, context.Request.Method, context.GetEndpoint()?.DisplayName, exception);
                context.Response.Clear();
                context.Response.Headers.RetryAfter = "1";
                await ManagementError.Of(status).WriteAsync(context, status);
            }
        });
        return app.UseStatusCodePages(static pages =>
        {
            var response = pages.HttpContext.Response;
            if (response.Headers.Allow is { Count: > 0 } allowed)
            {
                response.Headers.Allow = HeadRequests.WithHead(allowed.ToString());
            }

            return ManagementError.Of(response.StatusCode).WriteAsync(pages.HttpContext, response.StatusCode);
        });
    }

    [LoggerMessage(Level = LogLevel.Error, Message = "Request failed with {Status}: {Method} {Endpoint}")]
    private static partial void Failed(ILogger logger, int status, string method, string? endpoint, Exception exception);
}

/// <summary>A service that this one depends on does not answer. The caller receives 503.</summary>
public class UnavailableException(string what, Exception? inner = null) : Exception($"{what} is not available.", inner);
