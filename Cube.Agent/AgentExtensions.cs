using Cube.Inference.Errors;
using Cube.ServiceDefaults.Errors;
using Cube.ServiceDefaults.Hosting;

namespace Cube.Agent;

internal static class AgentExtensions
{
    public static WebApplicationBuilder AddAgent(this WebApplicationBuilder builder)
    {
        builder.WebHost.ConfigureKestrel(static kestrel =>
        {
            // The proxy limits the size of bodies.
            kestrel.Limits.MaxRequestBodySize = null;
            kestrel.Limits.MinResponseDataRate = null;
            kestrel.Limits.MinRequestBodyDataRate = null;
        });
        builder.Services.AddHostedService<HttpsUrlsValidator>();
        return builder;
    }

    /// <summary>Answers requests that match no endpoint with the error <c>unknown_url</c> in OpenAI's error format.</summary>
    public static WebApplication MapNotFoundFallback(this WebApplication app)
    {
        app.MapFallback(static context => context.WriteAgentErrorAsync(OpenAiError.UnknownUrl));
        return app;
    }

    /// <summary>Writes an error of the agent itself, marked by a header so that the proxy forwards it unchanged.</summary>
    public static Task WriteAgentErrorAsync(this HttpContext context, OpenAiError error)
    {
        context.Response.Headers[AgentHeaders.OwnError] = "1";
        return error.WriteAsync(context);
    }

    /// <summary>Rejects http addresses at startup: every listener uses TLS, so that an http address would be misleading.</summary>
    private sealed class HttpsUrlsValidator(IConfiguration configuration) : IHostedService
    {
        public Task StartAsync(CancellationToken cancellationToken) =>
            (configuration[WebHostDefaults.ServerUrlsKey] ?? "").Split(';').FirstOrDefault(static address => address.StartsWith("http://", StringComparison.OrdinalIgnoreCase)) is { } address
                ? throw new SettingException($"The agent listens on TLS only, not on {address}: give ASPNETCORE_URLS an https address.")
                : Task.CompletedTask;

        public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
    }
}
