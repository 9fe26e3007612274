using Cube.Tests.Systems;

namespace Cube.Tests.Functional.Inference;

/// <summary>Requests and model server responses that other gateways handled incorrectly, with a fake vLLM.</summary>
[Collection(FakeBackendCollectionDefinition.Name)]
public sealed class InteropCaseTests(FakeBackendSystem system)
{
    [Fact]
    public async Task Every_case_for_vLLM_has_the_expected_result()
    {
        var cases = InteropCase.ReadAll();
        Assert.All(cases, static one => Assert.Contains(one.Kind, (string[])["vllm", "ollama"]));
        var tenant = await system.Reset().CreateTenantAsync();
        // A separate proxy: the shared one may have cached another model list for ten seconds.
        system.Backend.Models = ["tiny-chat", "tiny-embed", "tiny-asr"];
        using var http = new HttpClient(new SocketsHttpHandler { UseCookies = false, AllowAutoRedirect = false }) { BaseAddress = await system.Cube.StartAnotherProxyAsync() };
        await InteropReplay.RunAsync([.. cases.Where(static one => one.Kind == "vllm")], async one =>
        {
            system.Backend.Requests.Clear();
            system.Backend.Answer = one.PlayAsync;
            return (await one.AskAsync(http, tenant), [.. system.Backend.Requests]);
        });
        system.Reset();
    }
}

/// <summary>The same cases with the real Ollama.</summary>
[Collection(OllamaCollectionDefinition.Name)]
public sealed class InteropOllamaCaseTests(OllamaSystem system)
{
    [Fact]
    public async Task Every_case_for_Ollama_has_the_expected_result()
    {
        var cases = InteropCase.ReadAll();
        var cube = system.Cube;
        var tenant = await cube.CreateTenantAsync();
        await InteropReplay.RunAsync([.. cases.Where(static one => one.Kind == "ollama")], async one => (await one.AskAsync(cube.Http, tenant), []));
    }
}

/// <summary>Replays cases and reports all failures together.</summary>
internal static class InteropReplay
{
    public static async Task RunAsync(IReadOnlyList<InteropCase> cases, Func<InteropCase, Task<(ClientResponse Answer, Received[] Received)>> askAsync)
    {
        Assert.NotEmpty(cases);
        List<string> failures = [];
        foreach (var one in cases)
        {
            ClientResponse? answer = null;
            var failure = await Record.ExceptionAsync(async () =>
            {
                (answer, var received) = await askAsync(one);
                one.CheckContract(answer);
                InteropExpectations.Check(one.Id, answer, received);
            });
            if (failure is not null)
            {
                failures.Add($"{one.Id} ({one.What}), expected: {one.Expect}\n  {failure.GetType().Name}: {failure.Message}\n  answer: {answer?.Status} {(answer?.IsBroken == true ? "broken " : "")}{answer?.Text}");
            }
        }

        Assert.True(failures.Count == 0, $"{failures.Count} of {cases.Count} cases failed:\n{string.Join('\n', failures)}");
    }
}
