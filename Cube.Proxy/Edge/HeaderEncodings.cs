using System.Collections.Frozen;
using System.Text;
using Microsoft.Net.Http.Headers;

namespace Cube.Proxy.Edge;

/// <summary>
/// Accepts Latin-1 text in headers that the proxy does not evaluate, because some clients send it (RFC 9110, section 5.5) and Kestrel would reject the whole request. In the headers that the proxy evaluates, bytes that
/// are not UTF-8 are rejected.
/// </summary>
internal static class HeaderEncodings
{
    private static readonly FrozenSet<string> _strict = new[]
    {
        HeaderNames.Host, HeaderNames.Authorization, HeaderNames.ContentType, HeaderNames.ContentEncoding, HeaderNames.ContentLength, HeaderNames.TransferEncoding, HeaderNames.Connection,
        HeaderNames.Upgrade, HeaderNames.Origin, HeaderNames.AccessControlRequestMethod, HeaderNames.AccessControlRequestHeaders, HeaderNames.Expect, "X-Forwarded-For", "X-Forwarded-Proto",
    }.ToFrozenSet(StringComparer.OrdinalIgnoreCase);

    /// <returns>The encoding of a header's value; null for Kestrel's default, UTF-8.</returns>
    public static Encoding? Of(string header) => _strict.Contains(header) ? null : Encoding.Latin1;
}
