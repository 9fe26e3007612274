using Microsoft.AspNetCore.Cors.Infrastructure;
using Microsoft.Extensions.Options;

namespace Cube.Proxy.Edge;

/// <summary>The section <c>Proxy:Cors</c>: which web applications may call the proxy from a browser (Fetch standard, CORS protocol). None by default.</summary>
internal sealed class CorsOriginOptions
{
    /// <summary>Exact origins: scheme, host, and the port if it is not the default one. Wildcards are rejected.</summary>
    public string[] Origins { get; set; } = [];

    /// <summary>Whether the text has the exact form of an <c>Origin</c> header.</summary>
    public static bool IsOrigin(string origin) =>
        Uri.TryCreate(origin, UriKind.Absolute, out var uri)
        && (uri.Scheme == Uri.UriSchemeHttps || uri.Scheme == Uri.UriSchemeHttp)
        && !origin.Contains('*', StringComparison.Ordinal)
        && uri.GetLeftPart(UriPartial.Authority) == origin
        && uri.UserInfo.Length == 0;
}

/// <summary>
/// Allows the configured origins every method and header, and exposes the headers of Cube's responses. Callers authenticate with the <c>Authorization</c> header and not with cookies, so browser credentials are not
/// allowed.
/// </summary>
internal sealed class AllowedOrigins(IOptions<ProxyOptions> options) : IConfigureOptions<CorsOptions>
{
    private static readonly string[] _exposed =
        [ResponseHeaders.RequestId, ResponseHeaders.Attestation, ResponseHeaders.Ignored, "x-should-retry", "retry-after", "allow", "www-authenticate"];

    public void Configure(CorsOptions cors)
    {
        var origins = options.Value.Cors.Origins.ToHashSet(StringComparer.Ordinal);
        cors.AddDefaultPolicy(policy => policy
            // With a function, responses have "Vary: Origin" also if there is only one origin.
            .SetIsOriginAllowed(origins.Contains)
            .AllowAnyMethod()
            .AllowAnyHeader()
            .WithExposedHeaders(_exposed)
            .SetPreflightMaxAge(TimeSpan.FromMinutes(10)));
    }
}
