using System.Net;
using System.Net.Security;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Yarp.ReverseProxy.Configuration;

namespace Cube.Benchmarks.Load;

/// <summary>YARP with its defaults and one route to the mock backend over TLS. It logs nothing and checks nothing, not even the backend's certificate.</summary>
internal static class BareYarp
{
    public static async Task RunAsync(int port, int backendPort)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, port));
        builder.Services.AddReverseProxy()
            .LoadFromMemory(
                [new RouteConfig { RouteId = "all", ClusterId = "backend", Match = new RouteMatch { Path = "{**path}" } }],
                [new ClusterConfig { ClusterId = "backend", Destinations = new Dictionary<string, DestinationConfig> { ["one"] = new() { Address = $"https://127.0.0.1:{backendPort}" } } }])
            .ConfigureHttpClient(static (_, handler) => handler.SslOptions = new SslClientAuthenticationOptions { RemoteCertificateValidationCallback = static (_, certificate, _, _) => certificate is not null });
        var app = builder.Build();
        app.MapReverseProxy();
        await app.RunAsync();
    }
}
