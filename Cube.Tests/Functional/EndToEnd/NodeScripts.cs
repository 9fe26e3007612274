using System.Text.Json;
using Cube.AppHost.Hosting;
using Cube.AppHost.Startup;
using Cube.Tests.Systems;

namespace Cube.Tests.Functional.EndToEnd;

public enum Sdk
{
    OpenAi6,
    OpenAi7,
}

/// <summary>Installs the npm SDKs once and runs the scripts that use them.</summary>
internal static class NodeScripts
{
    private static readonly SemaphoreSlim _installing = new(1);

    /// <param name="script">The file name of the script.</param>
    /// <param name="sdk">The version of the OpenAI SDK. Version 7 needs a newer Node.js, which npm installs.</param>
    /// <param name="settings">Environment variables.</param>
    /// <returns>The JSON that the script prints.</returns>
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
        Assert.SkipUnless(File.Exists(program), "npm has no newer Node.js for this platform.");
        return program;
    }

    public static async Task<string> InstallOrSkipAsync()
    {
        Assert.SkipWhen(Commands.Find("node") is null || Commands.Find("npm") is null, "Node.js and npm are not installed.");
        var folder = Path.Combine(AppContext.BaseDirectory, "Functional", "EndToEnd", "node");
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
            // npm retries requests to a registry that does not respond.
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
