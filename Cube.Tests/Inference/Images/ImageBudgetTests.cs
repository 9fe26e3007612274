using System.Buffers.Binary;
using Cube.Inference.Images;

namespace Cube.Tests.Inference.Images;

/// <summary>The limits of images, each and together, at every endpoint that accepts some.</summary>
public sealed class ImageBudgetTests
{
    /// <summary>The endpoints, with <c>@</c> for the images in the body and <c>#</c> for the base64 in an image.</summary>
    private static readonly (string Path, string Body, string Image)[] _endpoints =
    [
        ("chat/completions", """{"model":"m","messages":[{"role":"user","content":[@]}]}""", """{"type":"image_url","image_url":{"url":"data:image/png;base64,#"}}"""),
        ("responses", """{"model":"m","input":[{"role":"user","content":[@]}]}""", """{"type":"input_image","image_url":"data:image/png;base64,#"}"""),
        ("/api/chat", """{"model":"m","stream":false,"messages":[{"role":"user","content":"a","images":[@]}]}""", "\"#\""),
        ("/api/generate", """{"model":"m","stream":false,"prompt":"a","images":[@]}""", "\"#\""),
    ];

    private static readonly (int Count, uint Width, uint Height, bool IsAccepted)[] _cases =
        [(1, 1, 1, true), (100, 100, 100, true), (101, 1, 1, false), (500, 8000, 8000, false), (5, 8000, 8000, false), (4, 7000, 8000, true), (1, 65_535, 65_535, false), (1, 0, 1, false)];

    public static TheoryData<string, int, uint, uint, bool> Cases =>
        [.. from endpoint in _endpoints from item in _cases select new TheoryDataRow<string, int, uint, uint, bool>(endpoint.Path, item.Count, item.Width, item.Height, item.IsAccepted)];

    [Theory]
    [MemberData(nameof(Cases))]
    public void Images_are_limited_in_number_and_in_pixels(string path, int count, uint width, uint height, bool isAccepted)
    {
        var (_, body, image) = _endpoints.Single(endpoint => endpoint.Path == path);
        var translation = Translation.Of(
            "ollama", body.Replace("@", string.Join(',', Enumerable.Repeat(image.Replace("#", Png(width, height), StringComparison.Ordinal), count)), StringComparison.Ordinal), path);
        Assert.Equal(isAccepted ? (200, null) : (400, "invalid_value"), (translation.Status, translation.Code));
    }

    [Fact]
    public void An_ambiguous_image_header_is_not_accepted_as_a_small_image()
    {
        // A restart marker has no length: a reader that assumes one skips the frame that counts.
        Assert.Equal(0, ImageReader.PixelsOf([0xFF, 0xD8, 0xFF, 0xD0, 0xFF, 0xC0, 0, 17, 8, 0xFF, 0xFF, 0xFF, 0xFF, 3, 0, 0, 0, 0, 0, 0]));
        var png = Convert.FromBase64String(Png(1, 1));
        "tEXt"u8.CopyTo(png.AsSpan(12));
        Assert.Equal(0, ImageReader.PixelsOf(png));
        byte[] webp = [.. "RIFF\0\0\0\0WEBPVP8X"u8, 10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, .. "VP8 "u8, 10, 0, 0, 0, 0, 0, 0, 0x9D, 1, 0x2A, 0xFF, 0x3F, 0xFF, 0x3F];
        Assert.Equal(16_383L * 16_383, ImageReader.PixelsOf(webp));
    }

    /// <summary>The header of a PNG of this size, in base64.</summary>
    internal static string Png(uint width, uint height)
    {
        var image = new byte[33];
        ((byte[])[0x89, .. "PNG\r\n\u001a\n"u8, 0, 0, 0, 13, .. "IHDR"u8]).CopyTo(image, 0);
        BinaryPrimitives.WriteUInt32BigEndian(image.AsSpan(16), width);
        BinaryPrimitives.WriteUInt32BigEndian(image.AsSpan(20), height);
        return Convert.ToBase64String(image);
    }
}
