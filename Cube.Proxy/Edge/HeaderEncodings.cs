using System.Collections.Frozen;
using System.Text;
using Microsoft.Net.Http.Headers;

namespace Cube.Proxy.Edge;

/// <summary>
/// Some clients put Latin-1 text into headers of their own (RFC 9110, section 5.5 lets a server take it as opaque). Kestrel would reject the whole request. Headers that decide something are
/// read strictly: bytes that are not UTF-8 are rejected there.
/// </summary>
internal static class HeaderEncodings
{
    private static readonly FrozenSet<string> _strict = new[]
    {
        HeaderNames.Host, HeaderNames.Authorization, HeaderNames.ContentType, HeaderNames.ContentEncoding, HeaderNames.ContentLength, HeaderNames.TransferEncoding, HeaderNames.Connection,
        HeaderNames.Upgrade, HeaderNames.Origin, HeaderNames.AccessControlRequestMethod, HeaderNames.AccessControlRequestHeaders, HeaderNames.Expect, "X-Forwarded-For", "X-Forwarded-Proto",
    }.ToFrozenSet(StringComparer.OrdinalIgnoreCase);

    /// <returns>The encoding of a header's value; null for Kestrel's own, UTF-8.</returns>
    public static Encoding? Of(string header) => _strict.Contains(header) ? null : Encoding.Latin1;
}
