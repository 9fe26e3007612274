using Cube.Inference.Errors;
using Cube.Agent.Evidence.Azure;
using Cube.Attestation.Atls;
using Cube.Attestation.Evidence;
using Cube.ServiceDefaults.Errors;
using Cube.ServiceDefaults.Hosting;
using Cube.ServiceDefaults.Networking;
using Microsoft.Extensions.Options;

namespace Cube.Agent.Evidence;

internal static class AttestationExtensions
{
    /// <summary>Paths that contain nothing confidential. They are served without attested TLS too.</summary>
    private static readonly string[] _open = ["/health", "/alive", "/attestation"];

    /// <summary>Adds attested TLS to every listener.</summary>
    /// <exception cref="SettingException">Simulated Evidence in Production.</exception>
    public static WebApplicationBuilder AddAttestation(this WebApplicationBuilder builder)
    {
        var platform = builder.Configuration[$"{AttestationOptions.Section}:{nameof(AttestationOptions.Platform)}"] ?? "";
        if (platform == EvidenceType.Simulated)
        {
            builder.Environment.RefuseInProduction("An agent with simulated evidence");
        }

        var services = builder.Services;
        services.AddOptionsWithValidateOnStart<AttestationOptions, AttestationOptionsValidator>().BindConfiguration(AttestationOptions.Section);
        // Requests to the host must not use a proxy from the environment.
        services.AddHttpClient("imds", static client => (client.Timeout, client.MaxResponseContentBufferSize) = (TimeSpan.FromSeconds(5), ImdsClient.MaxResponseBytes)).ConfigurePrimaryHttpMessageHandler(BackendHttpHandler.Create);
        services.AddHttpClient("maa", static client => (client.Timeout, client.MaxResponseContentBufferSize) = (TimeSpan.FromSeconds(8), MaaProvider.MaxResponseBytes));
        services.AddSingleton<AgentKey>().AddSingleton<EvidenceQueue>();
        services.AddSingleton(static provider => EvidenceProviderFactory.Create(provider));
        builder.WebHost.ConfigureKestrel(kestrel =>
        {
            // Many requests share one verified connection.
            kestrel.Limits.Http2.MaxStreamsPerConnection = 1000;
            kestrel.Limits.Http2.InitialConnectionWindowSize = 4 << 20;
            kestrel.Limits.Http2.InitialStreamWindowSize = 1 << 20;
            kestrel.ConfigureEndpointDefaults(listen =>
            {
                var queue = listen.ApplicationServices.GetRequiredService<EvidenceQueue>();
                var key = listen.ApplicationServices.GetRequiredService<AgentKey>();
                listen.UseAttestedTls(() => key.Current, queue.MakeForConnectionAsync, allowUnbound: platform == EvidenceType.Simulated);
            });
        });
        return builder;
    }

    /// <exception cref="SettingException">This machine is not of the configured platform.</exception>
    public static WebApplication UseAttestation(this WebApplication app)
    {
        // Resolved at startup rather than with the first connection, so that an agent without Evidence does not start.
        app.Services.GetRequiredService<EvidenceQueue>();
        app.Use(static (context, next) =>
            context.Features.Get<IAttestedConnectionFeature>() is not null || _open.Contains(context.Request.Path.Value)
                ? next(context)
                : context.WriteAgentErrorAsync(OpenAiError.AttestationRequired));
        app.MapAttestation();
        return app;
    }
}
