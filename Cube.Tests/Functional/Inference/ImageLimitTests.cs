using Cube.Tests.Inference.Images;
using Cube.Tests.Systems;

namespace Cube.Tests.Functional.Inference;

/// <summary>Image limits in the running system. All cases are tested by <see cref="ImageBudgetTests"/>.</summary>
[Collection(ReplayCollectionDefinition.Name)]
public sealed class ImageLimitTests(ReplaySystem system)
{
    [Theory]
    [InlineData(101, 1, "chat/completions", """{"model":"m","messages":[{"role":"user","content":[@]}]}""", """{"type":"image_url","image_url":{"url":"data:image/png;base64,#"}}""")]
    [InlineData(5, 8000, "chat/completions", """{"model":"m","messages":[{"role":"user","content":[@]}]}""", """{"type":"image_url","image_url":{"url":"data:image/png;base64,#"}}""")]
    [InlineData(101, 1, "/api/generate", """{"model":"m","stream":false,"prompt":"a","images":[@]}""", "\"#\"")]
    [InlineData(5, 8000, "/api/generate", """{"model":"m","stream":false,"prompt":"a","images":[@]}""", "\"#\"")]
    public async Task A_request_with_too_many_images_or_pixels_reaches_no_model_server(int count, uint size, string path, string body, string image)
    {
        var (cube, server, tenant) = system["ollama"];
        var before = server.Requests.Count;
        var images = string.Join(',', Enumerable.Repeat(image.Replace("#", ImageBudgetTests.Png(size, size), StringComparison.Ordinal), count));
        var answer = await ClientResponse.AskAsync(cube, tenant, path, body.Replace("@", images, StringComparison.Ordinal));
        Assert.Equal((400, "invalid_value"), (answer.Status, answer.Code));
        Assert.Equal(before, server.Requests.Count);
    }
}
