using Cube.Proxy.Attestation.Verdicts;
using Cube.ServiceDefaults.Errors;

namespace Cube.Proxy.Management;

/// <summary>An answer before it has a shape: below a tenant a failure is OpenAI's envelope, elsewhere the management one.</summary>
/// <param name="Body">What is written as JSON; null for none.</param>
internal sealed record ApiAnswer(int Status, object? Body, string? Code = null, string? Message = null)
{
    public static ApiAnswer Ok(object body) => new(StatusCodes.Status200OK, body);

    public static ApiAnswer Created(object body) => new(StatusCodes.Status201Created, body);

    public static ApiAnswer NoContent { get; } = new(StatusCodes.Status204NoContent, null);

    public static ApiAnswer Bad(string message) => new(StatusCodes.Status400BadRequest, null, "invalid_value", message);

    public static ApiAnswer NotFound(string message) => new(StatusCodes.Status404NotFound, null, "not_found", message);

    public static ApiAnswer Conflict(string message) => new(StatusCodes.Status409Conflict, null, "conflict", message);

    /// <summary>Below a tenant.</summary>
    public async Task WriteAsEnvelopeAsync(HttpContext context)
    {
        if (Code is not null)
        {
            await new OpenAiError(Status, "invalid_request_error", Code, Message!) { ShouldRetry = false }.WriteAsync(context);
            return;
        }

        context.Response.StatusCode = Status;
        if (Body is not null)
        {
            await context.Response.WriteAsJsonAsync(Body, VerdictJournal.Format, context.RequestAborted);
        }
    }
}
