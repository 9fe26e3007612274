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
        ServiceAddresses.Require(builder.Configuration, BackendConnectionProvider.ServiceName, "https");
        var services = builder.Services;
        services.AddOptionsWithValidateOnStart<AttestationOptions, AttestationOptionsValidator>().BindConfiguration(AttestationOptions.Section);
        services.AddOptionsWithValidateOnStart<CollateralOptions, CollateralOptionsValidator>().BindConfiguration(CollateralOptions.Section);
        services.AddOptionsWithValidateOnStart<VerdictOptions, VerdictOptionsValidator>().BindConfiguration(VerdictOptions.Section);
        services.AddSingleton<ServiceAddresses>();
        services.AddSingleton<VerdictStore>().AddHostedService(static provider => provider.GetRequiredService<VerdictStore>());
        services.AddHttpClient(VendorClient.ClientName, static client => client.Timeout = TimeSpan.FromSeconds(4));
        services.AddSingleton<VendorClient>().AddSingleton<CollateralVerifier>().AddSingleton<CollateralDocumentStore>();
        services.AddSingleton<CollateralProvider>().AddHostedService(static provider => provider.GetRequiredService<CollateralProvider>());
        services.AddSingleton(static provider =>
        {
            var options = provider.GetRequiredService<IOptions<AttestationOptions>>().Value;
            return new EvidenceVerifier(new VerifierSettings
            {
                AllowSimulated = provider.GetRequiredService<IOptions<PolicyOptions>>().Value.Simulated,
                MaaKeys = provider.GetRequiredService<CollateralProvider>().MaaKeys,
                GoogleRoot = options.GoogleRoot is { Length: > 0 } root ? File.ReadAllBytes(root) : null,
            });
        });
        services.AddSingleton(static provider => new AttestedChannelFactory(
            provider.GetRequiredService<EvidenceVerifier>(), provider.GetRequiredService<CollateralProvider>().CompleteAsync,
            provider.GetRequiredService<IOptions<PolicyOptions>>().Value.Simulated, provider.GetRequiredService<TimeProvider>()));
        services.AddSingleton<BackendConnectionProvider>().AddHostedService(static provider => provider.GetRequiredService<BackendConnectionProvider>());
        return builder;
    }
}
