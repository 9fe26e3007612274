using System.Net;

namespace Cube.ServiceDefaults.Networking;

/// <summary>Connections from one hop of a request to the next: no proxy of the environment, no cookie, no redirect, no unpacking.</summary>
public static class BackendHttpHandler
{
    /// <returns>A handler whose idle connections close after 90 seconds, and that passes the trace on.</returns>
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
