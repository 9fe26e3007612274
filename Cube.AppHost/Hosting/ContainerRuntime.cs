using Cube.AppHost.Settings;

namespace Cube.AppHost.Hosting;

/// <summary>Detects whether containers can run. A client without its daemon is not sufficient.</summary>
internal static class ContainerRuntime
{
    private const string Variable = "ASPIRE_CONTAINER_RUNTIME";

    /// <exception cref="StartupException">Containers are required, but no runtime responds.</exception>
    public static async Task<bool> IsAvailableAsync(ServerChoice choice)
    {
        if (choice == ServerChoice.Host)
        {
            return false;
        }

        string[] candidates = Environment.GetEnvironmentVariable(Variable) is { Length: > 0 } chosen ? [chosen] : ["docker", "podman"];
        foreach (var runtime in candidates)
        {
            if (Commands.Find(runtime) is not null && await Commands.SucceedsAsync(runtime, ["info"], TimeSpan.FromSeconds(10)))
            {
                Environment.SetEnvironmentVariable(Variable, runtime);
                return true;
            }
        }

        return choice == ServerChoice.Containers
            ? throw new StartupException($"CUBE_SERVERS=containers, but {string.Join(" and ", candidates)} does not respond.")
            : false;
    }
}
