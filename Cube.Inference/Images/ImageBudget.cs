using System.Text.Json;

namespace Cube.Inference.Images;

/// <summary>An image in a request.</summary>
/// <param name="Value">The JSON value with the image.</param>
/// <param name="Param">The path of the value in an error's <c>param</c>.</param>
/// <param name="IsUrl">Whether the value is a data URL; otherwise it is base64 only.</param>
internal readonly record struct RequestImage(JsonElement Value, string Param, bool IsUrl);

/// <summary>Limits the images of one request. A small compressed image can need much memory in a model server.</summary>
/// <param name="most">Maximum number of images.</param>
/// <param name="mostPixels">Maximum number of pixels of all images together.</param>
internal sealed class ImageBudget(int maxImages, long maxPixels)
{
    private int _images;
    private long _pixels;

    /// <exception cref="RequestRejectedException">The image is invalid or exceeds a limit.</exception>
    public void Add(in RequestImage image)
    {
        FieldChecks.Require(++_images <= maxImages, image.Param, $"a request can have at most {maxImages} images");
        _pixels += image.IsUrl ? ImageReader.CheckUrl(image.Value, image.Param) : ImageReader.CheckData(image.Value, image.Param);
        FieldChecks.Require(_pixels <= maxPixels, image.Param, $"the images of a request can have at most {maxPixels} pixels together");
    }
}
