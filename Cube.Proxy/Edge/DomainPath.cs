namespace Cube.Proxy.Edge;

/// <summary>
/// The two forms of a tenant's path, <c>/proxy/{domainID}/…</c> and <c>/{domainID}/…</c>. What is left of it is taken from the bytes
/// that the client sent: no endpoint of ours needs an escape, so that whatever decodes, folds or climbs is refused, not interpreted.
/// </summary>
internal static class DomainPath
{
    private const string Prefix = "/proxy";
    private const int UuidLength = 36;

    /// <summary>A model's id follows it, the only part of a path that may contain escapes.</summary>
    private const string ModelPrefix = "/v1/models/";

    /// <summary>Whether OpenAI's envelope is this path's error shape. Everything below <c>/proxy</c> but its routes API, and everything below a UUID.</summary>
    public static bool Matches(HttpContext context)
    {
        var path = context.Request.Path.Value ?? "";
        return IsBelow(path, Prefix)
            ? !IsBelow(path, "/proxy/api/routes")
            : path.Length > UuidLength && TryReadUuid(path.AsSpan(1), out _);
    }

    /// <param name="target">The request target as it was sent, query included.</param>
    /// <param name="domain">The tenant.</param>
    /// <param name="rest">The path below the tenant, as sent, with its leading slash; empty where there is none.</param>
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

    /// <summary>Escapes are for model ids alone, and are decoded there.</summary>
    private static bool IsPlain(string rest)
    {
        var fixedPart = rest.StartsWith(ModelPrefix, StringComparison.Ordinal) ? rest.AsSpan(0, ModelPrefix.Length) : rest.AsSpan();
        return !fixedPart.ContainsAny('%', '\\', ';')
            && !rest.Contains("//", StringComparison.Ordinal)
            && !rest.Contains("/.", StringComparison.Ordinal)
            && !rest.Contains('\\', StringComparison.Ordinal);
    }

    /// <summary>Exactly the form with four hyphens, followed by a slash or nothing.</summary>
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
