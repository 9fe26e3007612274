using System.Net;

namespace Cube.ServiceDefaults.Networking;

/// <summary>The HTTP handler for connections between Cube's services and to backends: no environment proxy, cookies, redirects or decompression.</summary>
public static class BackendHttpHandler
{
    /// <returns>A handler that connects within 5 seconds, closes idle connections after 90 seconds and propagates the trace context.</returns>
    public static SocketsHttpHandler Create() => new()
    {
        UseProxy = false,
        UseCookies = false,
        AllowAutoRedirect = false,
        AutomaticDecompression = DecompressionMethods.None,
        ConnectTimeout = TimeSpan.FromSeconds(5),
        PooledConnectionIdleTimeout = TimeSpan.FromSeconds(90),
    };
}
