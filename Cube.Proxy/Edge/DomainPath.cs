namespace Cube.Proxy.Edge;

/// <summary>
/// The two forms of a domain's path, <c>/proxy/{domainId}/…</c> and <c>/{domainId}/…</c>. The path below the domain is read from the bytes that the client sent. Cube's endpoints need no escapes, so paths with escapes,
/// duplicate slashes or dot segments are rejected.
/// </summary>
internal static class DomainPath
{
    private const string Prefix = "/proxy";
    private const int UuidLength = 36;

    /// <summary>The prefix of a model's id, the only part of a path that can contain escapes.</summary>
    private const string ModelPrefix = "/v1/models/";

    /// <summary>Whether errors of the path have OpenAI's format: all paths below <c>/proxy</c> except its routes API, and all paths below a UUID.</summary>
    public static bool Matches(HttpContext context)
    {
        var path = context.Request.Path.Value ?? "";
        return IsBelow(path, Prefix)
            ? !IsBelow(path, "/proxy/api/routes")
            : path.Length > UuidLength && TryReadUuid(path.AsSpan(1), out _);
    }

    /// <param name="target">The request target as the client sent it, including the query.</param>
    /// <param name="domain">The domain.</param>
    /// <param name="rest">The path below the domain as the client sent it, with its leading slash; may be empty.</param>
    /// <returns>False if the path is malformed.</returns>
    public static bool TryParse(string target, out Guid domain, out string rest)
    {
        (domain, rest) = (default, "");
        var path = target.AsSpan();
        path = path[..(path.IndexOf('?') is >= 0 and var query ? query : path.Length)];
        if (path.StartsWith("/proxy/", StringComparison.Ordinal))
        {
            path = path[Prefix.Length..];
        }

        if (path is not ['/', ..] || !TryReadUuid(path[1..], out domain))
        {
            return false;
        }

        rest = path[(UuidLength + 1)..].ToString();
        return IsPlain(rest);
    }

    /// <summary>Only model ids can contain escapes; these are decoded later.</summary>
    private static bool IsPlain(string rest)
    {
        var fixedPart = rest.StartsWith(ModelPrefix, StringComparison.Ordinal) ? rest.AsSpan(0, ModelPrefix.Length) : rest.AsSpan();
        return !fixedPart.ContainsAny('%', '\\', ';')
            && !rest.Contains("//", StringComparison.Ordinal)
            && !rest.Contains("/.", StringComparison.Ordinal)
            && !rest.Contains('\\', StringComparison.Ordinal);
    }

    /// <summary>Reads a UUID in the form with four hyphens, followed by a slash or the end of the path.</summary>
    private static bool TryReadUuid(ReadOnlySpan<char> segments, out Guid id)
    {
        id = default;
        return segments.Length >= UuidLength
            && (segments.Length == UuidLength || segments[UuidLength] == '/')
            && Guid.TryParseExact(segments[..UuidLength], "D", out id);
    }

    private static bool IsBelow(string path, string prefix) =>
        path.StartsWith(prefix, StringComparison.Ordinal) && (path.Length == prefix.Length || path[prefix.Length] == '/');
}
