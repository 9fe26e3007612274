using Cube.Attestation;
using Cube.Attestation.Appraisal;
using Cube.Attestation.Atls;
using Cube.Proxy.Attestation.Collateral;
using Cube.Proxy.Attestation.Connections;
using Cube.Proxy.Attestation.Verdicts;
using Cube.Proxy.Configuration.Policies;
using Cube.ServiceDefaults.Networking;
using Microsoft.Extensions.Options;

namespace Cube.Proxy.Attestation;

internal static class AttestationExtensions
{
    public static WebApplicationBuilder AddAttestation(this WebApplicationBuilder builder)
    {
        ServiceAddresses.Require(builder.Configuration, AttestedBackends.Peer, "https");
        var services = builder.Services;
        services.AddOptionsWithValidateOnStart<AttestationOptions, AttestationOptionsValidator>().BindConfiguration(AttestationOptions.Section);
        services.AddOptionsWithValidateOnStart<CollateralOptions, CollateralOptionsValidator>().BindConfiguration(CollateralOptions.Section);
        services.AddOptionsWithValidateOnStart<VerdictOptions, VerdictOptionsValidator>().BindConfiguration(VerdictOptions.Section);
        services.AddSingleton<ServiceAddresses>();
        services.AddSingleton<VerdictJournal>().AddHostedService(static provider => provider.GetRequiredService<VerdictJournal>());
        services.AddHttpClient(VendorClient.ClientName, static client => client.Timeout = TimeSpan.FromSeconds(4));
        services.AddSingleton<VendorClient>().AddSingleton<CollateralVerifier>().AddSingleton<CollateralTable>();
        services.AddSingleton<CollateralStore>().AddHostedService(static provider => provider.GetRequiredService<CollateralStore>());
        services.AddSingleton(static provider =>
        {
            var options = provider.GetRequiredService<IOptions<AttestationOptions>>().Value;
            return new EvidenceVerifier(new VerifierSettings
            {
                AllowSimulated = provider.GetRequiredService<IOptions<PolicyOptions>>().Value.Simulated,
                MaaKeys = provider.GetRequiredService<CollateralStore>().MaaKeys,
                GoogleRoot = options.GoogleRoot is { Length: > 0 } root ? File.ReadAllBytes(root) : null,
            });
        });
        services.AddSingleton(static provider => new AttestedChannelFactory(
            provider.GetRequiredService<EvidenceVerifier>(), provider.GetRequiredService<CollateralStore>().CompleteAsync,
            provider.GetRequiredService<IOptions<PolicyOptions>>().Value.Simulated, provider.GetRequiredService<TimeProvider>()));
        services.AddSingleton<AttestedBackends>().AddHostedService(static provider => provider.GetRequiredService<AttestedBackends>());
        return builder;
    }
}
