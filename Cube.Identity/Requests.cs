using System.Text.Json;
using Cube.ServiceDefaults.Errors;
using Microsoft.AspNetCore.Http.HttpResults;

namespace Cube.Identity;

/// <summary>Answers that several groups of endpoints give.</summary>
internal static class Requests
{
    public static JsonHttpResult<ManagementError> Fail(int status, string error, string message) =>
        TypedResults.Json(new ManagementError(error, message), statusCode: status);

    public static JsonHttpResult<ManagementError> Invalid(string message) => Fail(StatusCodes.Status400BadRequest, "invalid_request", message);

    public static JsonHttpResult<ManagementError> Conflict(string message) => Fail(StatusCodes.Status409Conflict, "conflict", message);

    public static JsonHttpResult<ManagementError> NotFound(string message) => Fail(StatusCodes.Status404NotFound, "not_found", message);

    /// <summary>A rule of Cube forbids it as things stand.</summary>
    public static JsonHttpResult<ManagementError> Refused(string error, string message) => Fail(StatusCodes.Status422UnprocessableEntity, error, message);

    /// <summary>The same for what is not there and for what is somebody else's.</summary>
    public static JsonHttpResult<ManagementError> Forbidden { get; } = Fail(StatusCodes.Status403Forbidden, "forbidden", "You may not do this.");

    /// <returns>What is wrong with free-form JSON of a caller, or null.</returns>
    public static string? FaultOf(JsonElement? metadata, string name) => metadata switch
    {
        null or { ValueKind: JsonValueKind.Null or JsonValueKind.Undefined } => null,
        { ValueKind: not JsonValueKind.Object } => $"{name} must be a JSON object.",
        { } value when value.GetRawText().Length > 16_384 => $"{name} must not be longer than 16384 characters.",
        _ => null,
    };

    public static string? FaultOf(string[]? tags) => tags switch
    {
        null => null,
        { Length: > 64 } => "tags must not be more than 64.",
        _ when tags.Any(static tag => string.IsNullOrWhiteSpace(tag) || tag.Length > 128) => "tags must be texts of 1 to 128 characters.",
        _ => null,
    };

    /// <returns>Null where nothing was given, so that nothing changes.</returns>
    public static string? GivenJson(JsonElement? value) => value is { ValueKind: JsonValueKind.Object } json ? json.GetRawText() : null;

    public static string JsonOf(JsonElement? value) => GivenJson(value) ?? "{}";
}
