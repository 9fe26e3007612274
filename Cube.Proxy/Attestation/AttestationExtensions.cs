using Cube.Attestation;
using Cube.Attestation.Appraisal;
using Cube.Attestation.Verdicts;
using Cube.Attestation.Atls;
using Cube.Proxy.Attestation.Api;
using Cube.Proxy.Attestation.Backends;
using Cube.Proxy.Attestation.Collaterals;
using Cube.Proxy.Attestation.Policies;
using Cube.Proxy.Attestation.Verdicts;
using Cube.Proxy.Database;
using Cube.Proxy.Management;
using Cube.ServiceDefaults.Hosting;
using Microsoft.Extensions.Options;

namespace Cube.Proxy.Attestation;

internal static class AttestationExtensions
{
    /// <exception cref="SettingException">Simulated evidence in Production.</exception>
    public static WebApplicationBuilder AddAttestation(this WebApplicationBuilder builder)
    {
        if (builder.Configuration.GetValue<bool>($"{AttestationOptions.Section}:{nameof(AttestationOptions.Simulated)}"))
        {
            builder.Environment.RefuseInProduction("A proxy that accepts simulated evidence");
        }

        ProxyDatabase.Require(builder.Configuration);
        var services = builder.Services;
        services.AddSingleton<IValidateOptions<AttestationOptions>, AttestationOptionsValidator>();
        services.AddOptions<AttestationOptions>().BindConfiguration(AttestationOptions.Section).ValidateOnStart();
        services.AddSingleton<ProxyDatabase>().AddSingleton<PolicyStore>();
        services.AddSingleton<PoliciesInForce>().AddHostedService(static provider => provider.GetRequiredService<PoliciesInForce>());
        services.AddSingleton<VerdictJournal>().AddHostedService(static provider => provider.GetRequiredService<VerdictJournal>());
        services.AddHttpClient(Vendors.ClientName, static client => client.Timeout = TimeSpan.FromSeconds(4));
        services.AddSingleton<Vendors>().AddSingleton<CollateralVerifier>().AddSingleton<CollateralTable>().AddSingleton<CollateralStore>().AddHostedService(static provider => provider.GetRequiredService<CollateralStore>());
        services.AddSingleton(static provider =>
        {
            var options = provider.GetRequiredService<IOptions<AttestationOptions>>().Value;
            return new EvidenceVerifier(new VerifierSettings
            {
                AllowSimulated = options.Simulated,
                MaaKeys = provider.GetRequiredService<CollateralStore>().MaaKeys,
                GoogleRoot = options.GoogleRoot is { Length: > 0 } root ? File.ReadAllBytes(root) : null,
            });
        });
        services.AddSingleton(static provider => new AttestedChannelFactory(
            provider.GetRequiredService<EvidenceVerifier>(), provider.GetRequiredService<CollateralStore>().CompleteAsync,
            provider.GetRequiredService<IOptions<AttestationOptions>>().Value.Simulated, provider.GetRequiredService<TimeProvider>()));
        services.AddSingleton<AttestedBackends>().AddHostedService(static provider => provider.GetRequiredService<AttestedBackends>());
        services.AddSingleton<PlatformAdministrators>().AddSingleton<PolicyDesk>().AddSingleton<CollateralDesk>().AddSingleton<DomainAttestation>().AddSingleton<PlatformAttestation>();
        return builder;
    }
}
