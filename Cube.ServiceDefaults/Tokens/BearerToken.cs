using Microsoft.AspNetCore.Http;

namespace Cube.ServiceDefaults.Tokens;

/// <summary>Reads the one bearer credential of a request.</summary>
public static class BearerToken
{
    /// <summary>Longest credential that is looked at, in characters.</summary>
    public const int MaxLength = 8192;

    /// <returns>The credential; empty where the header is there but is not exactly one bearer credential; null where there is no header.</returns>
    public static string? Read(IHeaderDictionary headers)
    {
        const string scheme = "Bearer ";
        var values = headers.Authorization;
        if (values.Count == 0)
        {
            return null;
        }

        // Two headers, or two credentials in one, are an attempt to have two components read different ones.
        var value = values.Count == 1 ? values[0] : null;
        if (value is null || value.Length > MaxLength || !value.StartsWith(scheme, StringComparison.OrdinalIgnoreCase))
        {
            return "";
        }

        var token = value.AsSpan(scheme.Length).Trim(' ');
        return token.ContainsAny(' ', ',') ? "" : token.ToString();
    }
}
