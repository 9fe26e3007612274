using Cube.Inference.Errors;
using Cube.Proxy.Edge;
using Cube.ServiceDefaults.Errors;
using Microsoft.AspNetCore.Http.Json;
using Microsoft.Extensions.Options;

namespace Cube.Proxy.Management;

/// <summary>The result of a management endpoint. The path determines the format of an error: OpenAI's envelope below a domain, <c>{"error","message"}</c> elsewhere.</summary>
/// <param name="Status">The HTTP status.</param>
/// <param name="Body">The object that is serialized as JSON; null for an empty body.</param>
/// <param name="Code">The error code; null for a success.</param>
/// <param name="Message">The error message; null for a success.</param>
internal sealed record ApiResult(int Status, object? Body, string? Code = null, string? Message = null) : IResult
{
    public static ApiResult NoContent { get; } = new(StatusCodes.Status204NoContent, null);

    public static ApiResult Ok(object body) => new(StatusCodes.Status200OK, body);

    public static ApiResult Created(object body) => new(StatusCodes.Status201Created, body);

    public static ApiResult BadRequest(string message) => new(StatusCodes.Status400BadRequest, null, "invalid_value", message);

    public static ApiResult NotFound(string message) => new(StatusCodes.Status404NotFound, null, "not_found", message);

    public static ApiResult Conflict(string message) => new(StatusCodes.Status409Conflict, null, "conflict", message);

    public static ApiResult Forbidden { get; } = new(StatusCodes.Status403Forbidden, null, ManagementError.Of(StatusCodes.Status403Forbidden).Error, ManagementError.Of(StatusCodes.Status403Forbidden).Message);

    public Task ExecuteAsync(HttpContext httpContext)
    {
        if (Code is not null)
        {
            return DomainPath.Matches(httpContext)
                ? new OpenAiError(Status, "invalid_request_error", Code, Message ?? "") { ShouldRetry = false }.WriteAsync(httpContext)
                : new ManagementError(Code, Message ?? "").WriteAsync(httpContext, Status);
        }

        httpContext.Response.StatusCode = Status;
        return Body is null
            ? Task.CompletedTask
            : httpContext.Response.WriteAsJsonAsync(Body, Body.GetType(), httpContext.RequestServices.GetRequiredService<IOptions<JsonOptions>>().Value.SerializerOptions, httpContext.RequestAborted);
    }
}
