using Cube.Inference.Errors;
using Cube.Agent.Evidence.Azure;
using Cube.Attestation.Atls;
using Cube.Attestation.Evidence;
using Cube.ServiceDefaults.Errors;
using Cube.ServiceDefaults.Hosting;
using Cube.ServiceDefaults.Peers;
using Microsoft.Extensions.Options;

namespace Cube.Agent.Evidence;

internal static class AttestationExtensions
{
    /// <summary>Paths that are no secret: they answer whoever asks, with evidence or without.</summary>
    private static readonly string[] _open = ["/health", "/alive", "/attestation"];

    /// <summary>Serves every listener with attested TLS, and nothing confidential to a client that did not ask for evidence.</summary>
    /// <exception cref="SettingException">Simulated evidence in Production.</exception>
    public static WebApplicationBuilder AddAttestation(this WebApplicationBuilder builder)
    {
        var platform = builder.Configuration[$"{AttestationOptions.Section}:{nameof(AttestationOptions.Platform)}"] ?? "";
        if (platform == EvidenceType.Simulated)
        {
            builder.Environment.RefuseInProduction("An agent with simulated evidence");
        }

        var services = builder.Services;
        services.AddSingleton<IValidateOptions<AttestationOptions>, AttestationOptionsValidator>();
        services.AddOptions<AttestationOptions>().BindConfiguration(AttestationOptions.Section).ValidateOnStart();
        // To the host and to Microsoft; no proxy of the environment stands between.
        services.AddHttpClient("imds", static client => (client.Timeout, client.MaxResponseContentBufferSize) = (TimeSpan.FromSeconds(5), Imds.Most)).ConfigurePrimaryHttpMessageHandler(HopHandler.Create);
        services.AddHttpClient("maa", static client => (client.Timeout, client.MaxResponseContentBufferSize) = (TimeSpan.FromSeconds(8), MaaProvider.Most));
        services.AddSingleton<AgentKey>().AddSingleton<EvidenceQueue>();
        services.AddSingleton(static provider => Platforms.Choose(provider));
        builder.WebHost.ConfigureKestrel(kestrel =>
        {
            // Many requests share one connection that was verified once.
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

    /// <exception cref="SettingException">This machine is not the platform that is configured.</exception>
    public static WebApplication UseAttestation(this WebApplication app)
    {
        // Now, not with the first connection: what cannot prove anything does not start.
        app.Services.GetRequiredService<EvidenceQueue>();
        app.Use(static (context, next) =>
            context.Features.Get<IAttestedConnectionFeature>() is not null || _open.Contains(context.Request.Path.Value)
                ? next(context)
                : context.WriteOwnErrorAsync(OpenAiError.AttestationRequired));
        app.MapAttestation();
        return app;
    }
}
