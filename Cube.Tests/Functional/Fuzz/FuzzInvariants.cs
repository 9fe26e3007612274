using System.Text.Json;
using Cube.Tests.Systems;

namespace Cube.Tests.Functional.Fuzz;

/// <summary>Properties of every response.</summary>
internal static class FuzzInvariants
{
    /// <returns>The violated property; null if there is none.</returns>
    public static string? Check(FuzzRequest request, int status, string body, TimeSpan took, TimeSpan slowest) =>
        status == 500 ? $"500 {body}"
        : took > slowest ? $"It took {took.TotalSeconds:0.0} s."
        : status < 400 && request.NamedDomain is { } domain && domain != request.Caller.Domain ? $"A domain of another tenant was reached: {status}."
        : status < 400 && request.Caller.Token is null && request.NamedDomain is not null ? $"A domain was reached without a token: {status}."
        : status >= 400 && !IsError(request, status, body) ? $"{status} is not in the shape of an error of this path: {body[..Math.Min(body.Length, 500)]}"
        : null;

    /// <summary>Kestrel itself rejects malformed HTTP with 400 and an address that is too long with 414, without a body.</summary>
    private static bool IsError(FuzzRequest request, int status, string body)
    {
        if (body.Length == 0)
        {
            return status is 400 or 414;
        }

        try
        {
            using var json = JsonDocument.Parse(body);
            var root = json.RootElement;
            return IsBelowDomain(request.Path)
                ? root.GetProperty("error").EnumerateObject().Select(static member => member.Name).Order().SequenceEqual(["code", "message", "param", "type"])
                : root.EnumerateObject().Select(static member => member.Name).Order().SequenceEqual(["error", "message"]);
        }
        catch (Exception exception) when (exception is JsonException or InvalidOperationException or KeyNotFoundException)
        {
            return false;
        }
    }

    private static bool IsBelowDomain(string path) =>
        (path.StartsWith("/proxy/", StringComparison.Ordinal) && !path.StartsWith("/proxy/api/routes", StringComparison.Ordinal))
        || (path.Length > 37 && Guid.TryParseExact(path[1..37], "D", out _) && path[37] is '/' or '?');
}
