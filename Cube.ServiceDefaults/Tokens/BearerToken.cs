using Microsoft.AspNetCore.Http;

namespace Cube.ServiceDefaults.Tokens;

/// <summary>Reads the bearer credential of a request.</summary>
public static class BearerToken
{
    /// <summary>The longest accepted credential, in characters.</summary>
    public const int MaxLength = 8192;

    /// <returns>The credential; empty when the header is not exactly one bearer credential; null without a header.</returns>
    public static string? Read(IHeaderDictionary headers)
    {
        const string scheme = "Bearer ";
        var values = headers.Authorization;
        if (values.Count == 0)
        {
            return null;
        }

        // With two headers or two credentials in one header, two components could read different ones.
        var value = values.Count == 1 ? values[0] : null;
        if (value is null || value.Length > MaxLength || !value.StartsWith(scheme, StringComparison.OrdinalIgnoreCase))
        {
            return "";
        }

        var token = value.AsSpan(scheme.Length).Trim(' ');
        return token.ContainsAny(' ', ',') ? "" : token.ToString();
    }
}
