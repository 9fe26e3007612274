using Cube.Agent.Evidence.Azure;
using Cube.Agent.Evidence.Linux;
using Cube.Agent.Evidence.Providers;
using Cube.Agent.Evidence.Tpm;
using Cube.ServiceDefaults.Hosting;
using Microsoft.Extensions.Options;

namespace Cube.Agent.Evidence;

/// <summary>Creates the Evidence provider for the configured platform. Detection is a convenience: the Verifier relies on the Evidence only.</summary>
internal static class EvidenceProviderFactory
{
    private static readonly TimeSpan _probeTimeout = TimeSpan.FromSeconds(10);

    /// <exception cref="SettingException">This machine is not of the configured platform.</exception>
    public static EvidenceProvider Create(IServiceProvider services)
    {
        var options = services.GetRequiredService<IOptions<AttestationOptions>>().Value;
        var time = services.GetRequiredService<TimeProvider>();
        if (options.Platform == "simulated")
        {
            return new SimulatedProvider(time);
        }

        var clients = services.GetRequiredService<IHttpClientFactory>();
        var hardware = Find(options, clients, time)
            ?? throw new SettingException($"Attestation__Platform is '{options.Platform}', but this machine has none of its interfaces: no vTPM with a paravisor's report, no configfs-tsm, no /dev/sev-guest, no /dev/tdx_guest.");
        return options.Maa is { } instance ? new MaaProvider(hardware, clients.CreateClient("maa"), instance) : hardware;
    }

    /// <summary>Azure first, because its guests have other interfaces that do not work.</summary>
    private static EvidenceProvider? Find(AttestationOptions options, IHttpClientFactory clients, TimeProvider time)
    {
        if (options.Platform is "azure" or "auto")
        {
            var transport = new TpmTransport(options.Tpm);
            var azure = new AzureProvider(new TpmCommands(transport), new ImdsClient(clients.CreateClient("imds"), options.Imds), time);
            // Blocking is acceptable: this runs once at startup, before the agent listens.
            using var timeout = new CancellationTokenSource(_probeTimeout);
            if (transport.IsAvailable() && azure.IsAvailableAsync(timeout.Token).GetAwaiter().GetResult())
            {
                return azure;
            }
        }

        var tsm = new ConfigfsTsm(options.Root);
        if (options.Platform is "sev-snp" or "tdx" or "auto" && tsm.IsAvailable() && (options.Platform == "auto" || tsm.Type == options.Platform))
        {
            return tsm;
        }

        var sev = new SevGuestDevice(options.Root);
        if (options.Platform is "sev-snp" or "auto" && sev.IsAvailable())
        {
            return sev;
        }

        var tdx = new TdxGuestDevice(options.Root);
        return options.Platform is "tdx" or "auto" && tdx.IsAvailable() ? tdx : null;
    }
}
