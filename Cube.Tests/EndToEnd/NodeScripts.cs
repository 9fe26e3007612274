using System.Text.Json;
using Cube.AppHost.Startup;
using Cube.Tests.Systems;

namespace Cube.Tests.EndToEnd;

/// <summary>The SDKs of npm, installed once, and the scripts that use them.</summary>
internal static class NodeScripts
{
    private static readonly SemaphoreSlim _installing = new(1);

    /// <returns>What the script saw.</returns>
    public static async Task<JsonElement> RunAsync(string script, params KeyValuePair<string, string>[] settings)
    {
        var folder = await InstallOrSkipAsync();
        await using var node = ServiceProcess.Start("node", "node", [Path.Combine(folder, script)], settings);
        Assert.True(await node.WaitForExitAsync() == 0, node.Output);
        return JsonElement.Parse(node.Output);
    }

    public static async Task<string> InstallOrSkipAsync()
    {
        Assert.SkipWhen(Commands.Find("node") is null || Commands.Find("npm") is null, "Node.js and npm are not here.");
        var folder = Path.Combine(AppContext.BaseDirectory, "EndToEnd", "node");
        await _installing.WaitAsync();
        try
        {
            if (Directory.Exists(Path.Combine(folder, "node_modules", "@langchain")))
            {
                return folder;
            }

            await using var npm = ServiceProcess.Start(
                "npm", "npm",
                ["ci", "--prefix", folder, "--no-audit", "--no-fund", "--no-update-notifier", "--fetch-retries=3", "--fetch-timeout=15000"], []);
            // A registry that hangs once answers the next try.
            var exit = await npm.WaitForExitAsync(180);
            Assert.SkipWhen(exit != 0 && npm.Output.Contains("network", StringComparison.OrdinalIgnoreCase), "The npm registry cannot be reached.");
            Assert.True(exit == 0, npm.Output);
            return folder;
        }
        finally
        {
            _installing.Release();
        }
    }
}
