using System.Buffers.Binary;
using Cube.Tests.Systems;

namespace Cube.Tests.OpenAi;

/// <summary>What images may unpack to, each and together, at every endpoint that takes some.</summary>
[Collection(SharesReplay.Name)]
public sealed class ImageLimitTests(ReplaySystem system)
{
    public static TheoryData<string, string, string> Endpoints => new()
    {
        { "chat/completions", """{"model":"m","messages":[{"role":"user","content":[@]}]}""", """{"type":"image_url","image_url":{"url":"data:image/png;base64,#"}}""" },
        { "responses", """{"model":"m","input":[{"role":"user","content":[@]}]}""", """{"type":"input_image","image_url":"data:image/png;base64,#"}""" },
        { "/api/chat", """{"model":"m","stream":false,"messages":[{"role":"user","content":"a","images":[@]}]}""", "\"#\"" },
        { "/api/generate", """{"model":"m","stream":false,"prompt":"a","images":[@]}""", "\"#\"" },
    };

    [Theory]
    [MemberData(nameof(Endpoints))]
    public async Task An_image_has_its_limit_and_so_have_all_of_a_request(string path, string body, string image)
    {
        foreach (var (count, width, height, isRight) in ((int, uint, uint, bool)[])[(1, 1, 1, true), (100, 100, 100, true), (101, 1, 1, false), (500, 8000, 8000, false), (5, 8000, 8000, false), (4, 7000, 8000, true), (1, 65_535, 65_535, false), (1, 0, 1, false)])
        {
            var (cube, server, tenant) = system["ollama"];
            server.PlayJson(200, path == "chat/completions" || path == "responses" ? FakeBackend.Chat : """{"model":"m","response":"ok","message":{"role":"assistant","content":"ok"},"done":true,"done_reason":"stop"}""");
            var before = server.Requests.Count;
            var answer = await ClientAnswer.AskAsync(cube, tenant, path, body.Replace("@", string.Join(',', Enumerable.Repeat(image.Replace("#", Png(width, height), StringComparison.Ordinal), count)), StringComparison.Ordinal));
            Assert.True(isRight ? server.Requests.Count > before : answer is { Status: 400, Code: "invalid_value" } && server.Requests.Count == before, $"{count} of {width} by {height}: {answer.Text}");
        }
    }

    [Fact]
    public void A_header_that_readers_could_understand_in_two_ways_is_no_small_image()
    {
        // A restart marker has no length; who reads one jumps over the frame that counts.
        Assert.Equal(0, Images.PixelsOf([0xFF, 0xD8, 0xFF, 0xD0, 0xFF, 0xC0, 0, 17, 8, 0xFF, 0xFF, 0xFF, 0xFF, 3, 0, 0, 0, 0, 0, 0]));
        var png = Convert.FromBase64String(Png(1, 1));
        "tEXt"u8.CopyTo(png.AsSpan(12));
        Assert.Equal(0, Images.PixelsOf(png));
        byte[] webp = [.. "RIFF\0\0\0\0WEBPVP8X"u8, 10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, .. "VP8 "u8, 10, 0, 0, 0, 0, 0, 0, 0x9D, 1, 0x2A, 0xFF, 0x3F, 0xFF, 0x3F];
        Assert.Equal(16_383L * 16_383, Images.PixelsOf(webp));
    }

    private static string Png(uint width, uint height)
    {
        var image = new byte[33];
        ((byte[])[0x89, .. "PNG\r\n\u001a\n"u8, 0, 0, 0, 13, .. "IHDR"u8]).CopyTo(image, 0);
        BinaryPrimitives.WriteUInt32BigEndian(image.AsSpan(16), width);
        BinaryPrimitives.WriteUInt32BigEndian(image.AsSpan(20), height);
        return Convert.ToBase64String(image);
    }
}
