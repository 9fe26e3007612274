using Cube.Agent.Evidence.Azure;
using Cube.Agent.Evidence.Linux;
using Cube.Agent.Evidence.Tpm;
using Cube.ServiceDefaults.Hosting;
using Microsoft.Extensions.Options;

namespace Cube.Agent.Evidence;

/// <summary>Chooses how this machine proves what it is. Looking is for convenience: whoever verifies goes by the evidence.</summary>
internal static class EvidenceProviderFactory
{
    private static readonly TimeSpan _probeTimeout = TimeSpan.FromSeconds(10);

    /// <exception cref="SettingException">The platform that is configured is not the one this machine is.</exception>
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
            ?? throw new SettingException($"Attestation__Platform is '{options.Platform}', and this machine has nothing of the kind: no vTPM with a paravisor's report, no configfs-tsm, no /dev/sev-guest, no /dev/tdx_guest.");
        return options.Maa is { } instance ? new MaaProvider(hardware, clients.CreateClient("maa"), instance) : hardware;
    }

    /// <summary>Azure first: what its guests have besides is not theirs to use.</summary>
    private static EvidenceProvider? Find(AttestationOptions options, IHttpClientFactory clients, TimeProvider time)
    {
        if (options.Platform is "azure" or "auto")
        {
            var transport = new TpmTransport(options.Tpm);
            var azure = new AzureProvider(new TpmCommands(transport), new ImdsClient(clients.CreateClient("imds"), options.Imds), time);
            // Once, while the service starts and before it listens: there is nobody that waiting could hold up.
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
