using Cube.ServiceDefaults.Errors;
using Cube.ServiceDefaults.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;

namespace Cube.Agent;

internal static class AgentExtensions
{
    /// <summary>How this agent proves what it is. There is no evidence yet, so that it may not run in Production.</summary>
    public const string Attestation = "none";

    public static WebApplicationBuilder AddAgent(this WebApplicationBuilder builder)
    {
        builder.Environment.RefuseInProduction($"An agent whose attestation is '{Attestation}'");
        builder.WebHost.ConfigureKestrel(static kestrel =>
        {
            // The proxy sets the limit on bodies.
            kestrel.Limits.MaxRequestBodySize = null;
            kestrel.Limits.MinResponseDataRate = null;
            kestrel.Limits.MinRequestBodyDataRate = null;
            kestrel.ConfigureHttpsDefaults(static https => https.SslProtocols = AgentTls.Protocols);
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
        context.Response.Headers[AgentTls.OwnErrorHeader] = "1";
        return error.WriteAsync(context);
    }

    /// <summary>Stops the start where a listener is not TLS: a prompt would cross the wire in clear.</summary>
    private sealed class TlsOnly(IServer server) : IHostedLifecycleService
    {
        public Task StartedAsync(CancellationToken cancellationToken)
        {
            foreach (var address in server.Features.Get<IServerAddressesFeature>()?.Addresses ?? [])
            {
                if (!address.StartsWith("https://", StringComparison.OrdinalIgnoreCase))
                {
                    throw new SettingException($"The agent listens on TLS only, not on {address}: give ASPNETCORE_URLS an https address.");
                }
            }

            return Task.CompletedTask;
        }

        public Task StartingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

        public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

        public Task StoppingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

        public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

        public Task StoppedAsync(CancellationToken cancellationToken) => Task.CompletedTask;
    }
}
