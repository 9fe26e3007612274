using Cube.ServiceDefaults.Hosting;
using Microsoft.Extensions.Options;

namespace Cube.Agent.Evidence;

/// <summary>Chooses how this machine proves what it is.</summary>
internal static class Platforms
{
    /// <exception cref="SettingException">The platform that is configured is not the one this machine is.</exception>
    public static EvidenceProvider Choose(IServiceProvider services)
    {
        var options = services.GetRequiredService<IOptions<AttestationOptions>>().Value;
        return options.Platform switch
        {
            "simulated" => new SimulatedProvider(services.GetRequiredService<TimeProvider>()),
            _ => throw new SettingException($"This machine is no '{options.Platform}'."),
        };
    }
}
