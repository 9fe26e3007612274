using System.Text.Json;
using Cube.AppHost.Hosting;
using Cube.AppHost.Startup;
using Cube.Tests.Systems;

namespace Cube.Tests.EndToEnd;

public enum Sdk
{
    OpenAi6,
    OpenAi7,
}

/// <summary>The SDKs of npm, installed once, and the scripts that use them.</summary>
internal static class NodeScripts
{
    private static readonly SemaphoreSlim _installing = new(1);

    /// <param name="script">Its file.</param>
    /// <param name="sdk">Which of OpenAI's; the seventh needs a newer Node, which npm has too.</param>
    /// <param name="settings">Its environment.</param>
    /// <returns>What the script saw.</returns>
    public static async Task<JsonElement> RunAsync(string script, Sdk sdk, params KeyValuePair<string, string>[] settings)
    {
        var folder = await InstallOrSkipAsync();
        var program = sdk == Sdk.OpenAi6 ? "node" : NewerNodeOrSkip(folder);
        await using var node = ServiceProcess.Start("node", program, [Path.Combine(folder, script)], [.. settings, new("CUBE_OPENAI", sdk == Sdk.OpenAi6 ? "openai" : "openai-7")]);
        Assert.True(await node.WaitForExitAsync() == 0, node.Output);
        return JsonElement.Parse(node.Output);
    }

    private static string NewerNodeOrSkip(string folder)
    {
        var system = OperatingSystem.IsWindows() ? "win" : OperatingSystem.IsMacOS() ? "darwin" : "linux";
        var program = Path.Combine(
            folder, "node_modules", $"node-{system}-{System.Runtime.InteropServices.RuntimeInformation.ProcessArchitecture.ToString().ToLowerInvariant()}", "bin", OperatingSystem.IsWindows() ? "node.exe" : "node");
        Assert.SkipUnless(File.Exists(program), "npm has no newer Node for this machine.");
        return program;
    }

    public static async Task<string> InstallOrSkipAsync()
    {
        Assert.SkipWhen(Commands.Find("node") is null || Commands.Find("npm") is null, "Node.js and npm are not here.");
        var folder = Path.Combine(AppContext.BaseDirectory, "EndToEnd", "node");
        await _installing.WaitAsync();
        try
        {
            if (Directory.Exists(Path.Combine(folder, "node_modules", "openai-7")))
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
