using System.Text.RegularExpressions;
using Cube.AppHost.Hosting;
using Cube.AppHost.Startup;
using Cube.Tests.Systems;

namespace Cube.Tests.Functional.EndToEnd;

/// <summary>The curl commands of the integration guide. Only the host, the port, the password and the model are replaced.</summary>
[Collection(GuideCollectionDefinition.Name)]
public sealed partial class IntegrationGuideTests(GuideSystem system)
{
    [Fact]
    public async Task Every_curl_command_of_the_integration_guide_works()
    {
        var guide = Path.Combine(TestFiles.FolderOrSkip("CUBE_TEST_SEEDS", "seeds"), "integration-guide.md");
        Assert.SkipWhen(Commands.Find("bash") is null || Commands.Find("curl") is null, "bash and curl are not installed.");
        var blocks = Curl().Matches(await File.ReadAllTextAsync(guide)).Select(static block => block.Groups[1].Value).ToList();

        var issue = await RunAsync(blocks.Single(static block => block.Contains("/users/tokens/issue", StringComparison.Ordinal)), 201);
        var (access, refresh) = (Member(issue, "access_token"), Member(issue, "refresh_token"));
        var domain = await RunAsync(blocks.Single(static block => block.Contains("/domains", StringComparison.Ordinal)), 201, access);
        var id = Member(domain, "id");
        var models = await RunAsync(blocks.First(static block => block.Contains("/v1/models", StringComparison.Ordinal)), 200, access, id);
        Assert.Contains("\"id\":\"cube-guide\"", models, StringComparison.Ordinal);
        var chat = await RunAsync(blocks.Single(static block => block.Contains("/chat/completions", StringComparison.Ordinal)), 200, access, id);
        Assert.Contains("\"finish_reason\":\"stop\"", chat, StringComparison.Ordinal);
        var refreshed = await RunAsync(blocks.Single(static block => block.Contains("/users/tokens/refresh", StringComparison.Ordinal)), 201, refresh: refresh);
        await RunAsync(blocks.First(static block => block.Contains("/v1/models", StringComparison.Ordinal)), 200, Member(refreshed, "access_token"), id);
    }

    private async Task<string> RunAsync(string block, int expected, string access = "", string domain = "", string refresh = "")
    {
        var script = block
            .Replace("https://localhost", system.Cube.Proxy.AbsoluteUri.TrimEnd('/'), StringComparison.Ordinal)
            .Replace("m2N2Lfno", CubeSystem.AdminPassword, StringComparison.Ordinal)
            .Replace("llama3:8b", "cube-guide", StringComparison.Ordinal)
            .Replace("<YOUR_ACCESS_TOKEN>", access, StringComparison.Ordinal)
            .Replace("<YOUR_REFRESH_TOKEN>", refresh, StringComparison.Ordinal);
        await using var bash = ServiceProcess.Start("bash", "bash", ["-c", script], [new("CUBE_JWT_TOKEN", access), new("DOMAIN_ID", domain)]);
        Assert.True(await bash.WaitForExitAsync() == 0, bash.Output);
        await Eventually.TrueAsync(() => Task.FromResult(bash.Output.Contains("\n{", StringComparison.Ordinal)), $"an answer: {bash.Output}", 5);
        Assert.StartsWith($"HTTP/1.1 {expected}", bash.Output, StringComparison.Ordinal);
        return bash.Output;
    }

    private static string Member(string output, string name) => Regex.Match(output, $"\"{name}\":\"([^\"]+)\"").Groups[1].Value;

    [GeneratedRegex(@"```bash\n((?:#[^\n]*\n)?curl .*?)```", RegexOptions.Singleline)]
    private static partial Regex Curl();
}
