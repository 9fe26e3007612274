using Microsoft.AspNetCore.Cors.Infrastructure;
using Microsoft.Extensions.Options;

namespace Cube.Proxy.Edge;

/// <summary>The section <c>Proxy:Cors</c>: which web applications may call the proxy from a browser (Fetch standard, CORS protocol). None by default.</summary>
internal sealed class CorsOriginOptions
{
    /// <summary>Exact origins: scheme, host and, where it is not the usual one, port. Wildcards are not accepted.</summary>
    public string[] Origins { get; set; } = [];

    /// <summary>Whether a browser could send the text as an <c>Origin</c>.</summary>
    public static bool IsOrigin(string origin) =>
        Uri.TryCreate(origin, UriKind.Absolute, out var uri)
        && (uri.Scheme == Uri.UriSchemeHttps || uri.Scheme == Uri.UriSchemeHttp)
        && !origin.Contains('*', StringComparison.Ordinal)
        && uri.GetLeftPart(UriPartial.Authority) == origin
        && uri.UserInfo.Length == 0;
}

/// <summary>
/// Lets the origins of the setting use every method and header and read the headers that Cube's answers have. Cube knows callers by their <c>Authorization</c> header and uses no cookies, so
/// credentials of the browser are not allowed.
/// </summary>
internal sealed class AllowedOrigins(IOptions<ProxyOptions> options) : IConfigureOptions<CorsOptions>
{
    private static readonly string[] _exposed =
        [ResponseHeaders.RequestId, ResponseHeaders.Attestation, ResponseHeaders.Ignored, "x-should-retry", "retry-after", "allow", "www-authenticate"];

    public void Configure(CorsOptions cors)
    {
        var origins = options.Value.Cors.Origins.ToHashSet(StringComparer.Ordinal);
        cors.AddDefaultPolicy(policy => policy
            // A function, so that answers vary by origin also where there is one origin only.
            .SetIsOriginAllowed(origins.Contains)
            .AllowAnyMethod()
            .AllowAnyHeader()
            .WithExposedHeaders(_exposed)
            .SetPreflightMaxAge(TimeSpan.FromMinutes(10)));
    }
}
