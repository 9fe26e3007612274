using System.Globalization;
using Cube.Inference.Errors;
using Microsoft.AspNetCore.Http;

namespace Cube.ServiceDefaults.Errors;

public static class OpenAiErrorResponse
{
    /// <summary>Writes the error as the whole response: status, <c>retry-after</c>, <c>x-should-retry</c> and the envelope.</summary>
    public static async Task WriteAsync(this OpenAiError error, HttpContext context)
    {
        var response = context.Response;
        response.StatusCode = error.Status;
        response.ContentType = "application/json";
        if (error.RetryAfter is { } seconds)
        {
            response.Headers.RetryAfter = seconds.ToString(CultureInfo.InvariantCulture);
        }

        if (!error.ShouldRetry)
        {
            response.Headers["x-should-retry"] = "false";
        }

        var body = error.ToJson();
        response.ContentLength = body.Length;
        if (!HttpMethods.IsHead(context.Request.Method))
        {
            await response.BodyWriter.WriteAsync(body, context.RequestAborted);
        }
    }
}
