using System.ClientModel;
using System.Text;
using Cube.Tests.Systems;
using OpenAI.Chat;

namespace Cube.Tests.Functional.EndToEnd;

/// <summary>The same chat with the official .NET SDK for each kind of model server. The real Ollama has its own tests.</summary>
[Collection(ReplayCollectionDefinition.Name)]
public sealed class ChatTests(ReplaySystem system)
{
    [Fact]
    public async Task A_replayed_vLLM_chats_with_and_without_streaming()
    {
        var (whole, streamed) = (Recording.Find("vllm-0.32.0/default/chat-plain"), Recording.Find("vllm-0.32.0/default/chat-stream-usage"));
        var (cube, vllm, _) = system["vllm"];
        vllm.Choose = request => request.TryGetProperty("stream", out _) ? streamed : whole;
        try
        {
            Assert.Contains("Ad", await ChatAsync(cube, "smollm2"), StringComparison.Ordinal);
        }
        finally
        {
            vllm.Choose = null;
        }

        Assert.Contains("\"content\":\"Ad\"", streamed.Answer, StringComparison.Ordinal);
    }

    internal static async Task<string> ChatAsync(CubeSystem cube, string model)
    {
        var tenant = await cube.CreateTenantAsync();
        var client = cube.CreateSdkClient(tenant);

        var models = await client.GetOpenAIModelClient().GetModelsAsync();
        Assert.Contains(model, models.Value.Select(static found => found.Id));

        var chat = client.GetChatClient(model);
        ChatMessage[] messages = [new SystemChatMessage("Be brief."), new UserChatMessage("Say hello to Ada.")];
        var whole = (await chat.CompleteChatAsync(messages, new ChatCompletionOptions { Temperature = 0, MaxOutputTokenCount = 24 })).Value;
        Assert.NotEmpty(whole.Content[0].Text);
        Assert.True(whole.Usage.InputTokenCount > 0 && whole.Usage.OutputTokenCount > 0);
        Assert.Equal(whole.Usage.TotalTokenCount, whole.Usage.InputTokenCount + whole.Usage.OutputTokenCount);

        var (text, updates, usage, finish) = (new StringBuilder(), 0, default(ChatTokenUsage), default(ChatFinishReason?));
        await foreach (var update in chat.CompleteChatStreamingAsync(messages, new ChatCompletionOptions { Temperature = 0, MaxOutputTokenCount = 24 }))
        {
            text.Append(string.Concat(update.ContentUpdate.Select(static part => part.Text)));
            updates++;
            usage = update.Usage ?? usage;
            finish = update.FinishReason ?? finish;
        }

        Assert.True(updates > 2, $"{updates} updates");
        Assert.NotEmpty(text.ToString());
        Assert.NotNull(usage);
        Assert.NotNull(finish);

        var unknown = await Assert.ThrowsAsync<ClientResultException>(() => client.GetChatClient("no-such-model").CompleteChatAsync(messages));
        Assert.Equal(404, unknown.Status);
        var stranger = await Assert.ThrowsAsync<ClientResultException>(() => cube.CreateSdkClient(tenant, "forged").GetChatClient(model).CompleteChatAsync(messages));
        Assert.Equal(401, stranger.Status);
        Assert.Contains("invalid_api_key", stranger.Message, StringComparison.Ordinal);
        return text.ToString();
    }
}

[Collection(GuideCollectionDefinition.Name)]
public sealed class GuideChatTests(GuideSystem system)
{
    [Fact]
    public Task The_guide_model_chats_with_and_without_streaming() => ChatTests.ChatAsync(system.Cube, "cube-guide");
}
