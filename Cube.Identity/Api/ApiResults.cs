using Cube.ServiceDefaults.Errors;
using Microsoft.AspNetCore.Http.HttpResults;

namespace Cube.Identity.Api;

/// <summary>Results that several groups of endpoints return.</summary>
internal static class ApiResults
{
    public static JsonHttpResult<ManagementError> Fail(int status, string error, string message) =>
        TypedResults.Json(new ManagementError(error, message), statusCode: status);

    public static JsonHttpResult<ManagementError> Invalid(string message) => Fail(StatusCodes.Status400BadRequest, "invalid_request", message);

    public static JsonHttpResult<ManagementError> Conflict(string message) => Fail(StatusCodes.Status409Conflict, "conflict", message);

    public static JsonHttpResult<ManagementError> NotFound(string message) => Fail(StatusCodes.Status404NotFound, "not_found", message);

    /// <summary>422: the request is valid, but a rule forbids it in the present state.</summary>
    public static JsonHttpResult<ManagementError> Unprocessable(string error, string message) => Fail(StatusCodes.Status422UnprocessableEntity, error, message);

    /// <summary>The same answer for objects that do not exist and objects of another tenant.</summary>
    public static JsonHttpResult<ManagementError> Forbidden { get; } = Fail(StatusCodes.Status403Forbidden, "forbidden", "You do not have permission for this operation.");
}
