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
            // The proxy sets the limit on bodies.
            kestrel.Limits.MaxRequestBodySize = null;
            kestrel.Limits.MinResponseDataRate = null;
            kestrel.Limits.MinRequestBodyDataRate = null;
        });
        builder.Services.AddHostedService<TlsOnly>();
        return builder;
    }

    /// <summary>Whatever nobody maps is OpenAI's <c>unknown_url</c>, in the envelope.</summary>
    public static WebApplication MapNothingElse(this WebApplication app)
    {
        app.MapFallback(static context => context.WriteOwnErrorAsync(OpenAiError.UnknownUrl));
        return app;
    }

    /// <summary>Answers with an error of the agent's own, which the proxy may pass on as it is.</summary>
    public static Task WriteOwnErrorAsync(this HttpContext context, OpenAiError error)
    {
        context.Response.Headers[AgentHeaders.OwnError] = "1";
        return error.WriteAsync(context);
    }

    /// <summary>Stops the start where an address is plain http. Every listener is TLS, so that it would not mean what it says.</summary>
    private sealed class TlsOnly(IConfiguration configuration) : IHostedService
    {
        public Task StartAsync(CancellationToken cancellationToken) =>
            (configuration[WebHostDefaults.ServerUrlsKey] ?? "").Split(';').FirstOrDefault(static address => address.StartsWith("http://", StringComparison.OrdinalIgnoreCase)) is { } address
                ? throw new SettingException($"The agent listens on TLS only, not on {address}: give ASPNETCORE_URLS an https address.")
                : Task.CompletedTask;

        public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
    }
}
