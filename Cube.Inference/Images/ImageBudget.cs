using System.Text.Json;

namespace Cube.Inference.Images;

/// <param name="Value">What the request has.</param>
/// <param name="Param">What an error calls it.</param>
/// <param name="IsUrl">Whether it is a data: URL; otherwise it is base64 alone.</param>
internal readonly record struct RequestImage(JsonElement Value, string Param, bool IsUrl);

/// <summary>What is left of the images that one request may have: each is small in a body and large in a model server.</summary>
/// <param name="most">How many there may be.</param>
/// <param name="mostPixels">How many pixels they may have together.</param>
internal sealed class ImageBudget(int most, long mostPixels)
{
    private int _images;
    private long _pixels;

    /// <exception cref="RequestRejectedException">It is no image, or one too many.</exception>
    public void Take(in RequestImage image)
    {
        FieldChecks.Require(++_images <= most, image.Param, $"a request has at most {most} images");
        _pixels += image.IsUrl ? ImageReader.CheckUrl(image.Value, image.Param) : ImageReader.CheckData(image.Value, image.Param);
        FieldChecks.Require(_pixels <= mostPixels, image.Param, $"the images of a request have at most {mostPixels} pixels together");
    }
}
