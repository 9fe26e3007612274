namespace Cube.Http2;

/// <summary>The static table of RFC 7541, appendix A. Its first entry has the index 1.</summary>
internal static class StaticTable
{
    public const int Authority = 1;
    public const int MethodGet = 2;
    public const int MethodPost = 3;
    public const int Path = 4;
    public const int SchemeHttps = 7;
    public const int Status200 = 8;
    public const int ContentLength = 28;
    public const int ContentType = 31;

    private static readonly (string Name, string Value)[] _entries =
    [
        (":authority", ""), (":method", "GET"), (":method", "POST"), (":path", "/"), (":path", "/index.html"), (":scheme", "http"), (":scheme", "https"),
        (":status", "200"), (":status", "204"), (":status", "206"), (":status", "304"), (":status", "400"), (":status", "404"), (":status", "500"),
        ("accept-charset", ""), ("accept-encoding", "gzip, deflate"), ("accept-language", ""), ("accept-ranges", ""), ("accept", ""), ("access-control-allow-origin", ""), ("age", ""), ("allow", ""),
        ("authorization", ""), ("cache-control", ""), ("content-disposition", ""), ("content-encoding", ""), ("content-language", ""), ("content-length", ""), ("content-location", ""),
        ("content-range", ""), ("content-type", ""), ("cookie", ""), ("date", ""), ("etag", ""), ("expect", ""), ("expires", ""), ("from", ""), ("host", ""), ("if-match", ""),
        ("if-modified-since", ""), ("if-none-match", ""), ("if-range", ""), ("if-unmodified-since", ""), ("last-modified", ""), ("link", ""), ("location", ""), ("max-forwards", ""),
        ("proxy-authenticate", ""), ("proxy-authorization", ""), ("range", ""), ("referer", ""), ("refresh", ""), ("retry-after", ""), ("server", ""), ("set-cookie", ""),
        ("strict-transport-security", ""), ("transfer-encoding", ""), ("user-agent", ""), ("vary", ""), ("via", ""), ("www-authenticate", ""),
    ];

    /// <exception cref="Http2Exception">The index is 0, or the dynamic table has the entry. This client allows no dynamic table.</exception>
    public static (string Name, string Value) Get(int index) =>
        index >= 1 && index <= _entries.Length ? _entries[index - 1] : throw new Http2Exception(ErrorCode.CompressionError, "A header refers to an entry that does not exist.");
}
