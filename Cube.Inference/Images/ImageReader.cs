using System.Buffers;
using System.Buffers.Binary;
using System.Buffers.Text;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json;

namespace Cube.Inference.Images;

/// <summary>
/// Checks images. Only images in the request itself are accepted, because a model server would fetch other URLs from its own network. The size is read from the image's header, to limit the memory that the model
/// server needs to decode the image.
/// </summary>
internal static class ImageReader
{
    /// <summary>Maximum number of pixels of one image.</summary>
    private const long MaxPixels = 64 << 20;

    /// <summary>Maximum length of a data URL up to its comma.</summary>
    private const int MaxPrefixLength = 256;

    private static readonly string[] _types = ["image/png", "image/jpeg", "image/jpg", "image/webp", "image/gif"];

    /// <returns>The number of pixels of the image.</returns>
    /// <exception cref="RequestRejectedException">The URL is not a data URL with a supported image.</exception>
    public static long CheckUrl(JsonElement url, string param)
    {
        FieldChecks.String(url, param);
        var raw = StringBytes(url);
        FieldChecks.Require(TypeOf(raw, out var data) is not null, param, "it must be a data: URL with a PNG, JPEG, WebP or GIF image in base64; other URLs are not supported");
        return Decode(raw[data..], param);
    }

    /// <param name="data">The image in base64, without a data URL.</param>
    /// <param name="param">The path of the value.</param>
    /// <returns>The number of pixels of the image.</returns>
    /// <exception cref="RequestRejectedException">The value is not a supported image.</exception>
    public static long CheckData(JsonElement data, string param)
    {
        FieldChecks.String(data, param);
        return Decode(StringBytes(data), param);
    }

    /// <summary>Writes a checked data URL without parameters and with a lower-case prefix. Every model server accepts this form.</summary>
    public static void WriteUrl(JsonElement url, Utf8JsonWriter json)
    {
        var raw = StringBytes(url);
        var prefix = $"data:{TypeOf(raw, out var data)};base64,";
        if (raw.StartsWith(Encoding.ASCII.GetBytes(prefix)))
        {
            json.WriteRaw(url);
            return;
        }

        var written = new byte[prefix.Length + raw.Length - data];
        raw[data..].CopyTo(written.AsSpan(Encoding.ASCII.GetBytes(prefix, written)));
        json.WriteStringValue(written);
    }

    /// <summary>Parses <c>data:[type][;parameter]*[;base64],data</c> (RFC 2397). The prefix is case-insensitive.</summary>
    /// <param name="url">The URL in UTF-8.</param>
    /// <param name="data">The offset of the data.</param>
    /// <returns>The media type in lower case; null if the URL is not a supported image in base64.</returns>
    private static string? TypeOf(ReadOnlySpan<byte> url, out int data)
    {
        data = 0;
        var comma = url[..Math.Min(url.Length, MaxPrefixLength)].IndexOf((byte)',');
        if (comma < 0 || !Ascii.EqualsIgnoreCase(url[..Math.Min(url.Length, 5)], "data:"u8))
        {
            return null;
        }

        data = comma + 1;
        var parts = Encoding.UTF8.GetString(url[5..comma]).Split(';', StringSplitOptions.TrimEntries);
        return parts.Skip(1).Contains("base64", StringComparer.OrdinalIgnoreCase) ? Array.Find(_types, type => type.Equals(parts[0], StringComparison.OrdinalIgnoreCase)) : null;
    }

    private static long Decode(ReadOnlySpan<byte> encoded, string param)
    {
        FieldChecks.Require(Base64.IsValid(encoded, out var length) && length > 0, param, "it must be base64");
        var bytes = ArrayPool<byte>.Shared.Rent(length);
        try
        {
            var pixels = Base64.DecodeFromUtf8(encoded, bytes, out _, out var written) == OperationStatus.Done ? PixelsOf(bytes.AsSpan(0, written)) : 0;
            FieldChecks.Require(pixels is > 0 and <= MaxPixels, param, $"it must be a PNG, JPEG, WebP or GIF image of at most {MaxPixels} pixels");
            return pixels;
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(bytes, clearArray: true);
        }
    }

    /// <exception cref="RequestRejectedException">The value is not a string with base64.</exception>
    public static void CheckBase64(JsonElement data, string param)
    {
        FieldChecks.String(data, param);
        FieldChecks.Require(Base64.IsValid(StringBytes(data), out var length) && length > 0, param, "it must be base64");
    }

    /// <summary>The content of a JSON string in UTF-8. It is decoded only if it contains escapes: some JSON writers escape '/'.</summary>
    private static ReadOnlySpan<byte> StringBytes(JsonElement value)
    {
        var raw = JsonMarshal.GetRawUtf8Value(value)[1..^1];
        return raw.Contains((byte)'\\') ? Encoding.UTF8.GetBytes(value.GetString() ?? "") : raw;
    }

    /// <returns>Width times height from the image's header; 0 if the format is unknown.</returns>
    internal static long PixelsOf(ReadOnlySpan<byte> image)
    {
        if (image.Length >= 8 && image[0] == 0x89 && image[1..8].SequenceEqual("PNG\r\n\u001a\n"u8))
        {
            return image.Length < 24 || !image[12..16].SequenceEqual("IHDR"u8) ? 0 : (long)BinaryPrimitives.ReadUInt32BigEndian(image[16..]) * BinaryPrimitives.ReadUInt32BigEndian(image[20..]);
        }

        if (image.StartsWith("GIF8"u8))
        {
            return image.Length < 10 ? 0 : (long)BinaryPrimitives.ReadUInt16LittleEndian(image[6..]) * BinaryPrimitives.ReadUInt16LittleEndian(image[8..]);
        }

        if (image.Length >= 30 && image.StartsWith("RIFF"u8) && image[8..12].SequenceEqual("WEBP"u8))
        {
            return PixelsOfWebP(image);
        }

        return image.Length > 4 && image[0] == 0xFF && image[1] == 0xD8 ? PixelsOfJpeg(image) : 0;
    }

    /// <summary>The largest size in the chunks of the image, because a frame can be larger than the canvas.</summary>
    private static long PixelsOfWebP(ReadOnlySpan<byte> image)
    {
        var max = 0L;
        for (var offset = 12L; offset + 8 < image.Length; offset += 8 + (long)BinaryPrimitives.ReadUInt32LittleEndian(image[((int)offset + 4)..]))
        {
            offset += offset & 1;
            if (offset + 18 > image.Length)
            {
                break;
            }

            var kind = image.Slice((int)offset, 4);
            var chunk = image[((int)offset + 8)..];
            var pixels = kind.SequenceEqual("VP8X"u8) ? Canvas(chunk[4..])
                : kind.SequenceEqual("ANMF"u8) ? (chunk.Length < 12 ? long.MaxValue : Canvas(chunk[6..]))
                : kind.SequenceEqual("VP8L"u8) ? Lossless(BinaryPrimitives.ReadUInt32LittleEndian(chunk[1..]))
                : kind.SequenceEqual("VP8 "u8) ? (long)(BinaryPrimitives.ReadUInt16LittleEndian(chunk[6..]) & 0x3FFF) * (BinaryPrimitives.ReadUInt16LittleEndian(chunk[8..]) & 0x3FFF)
                : 0;
            max = Math.Max(max, pixels);
        }

        return max;

        static long Canvas(ReadOnlySpan<byte> size) => (1L + (size[0] | (size[1] << 8) | (size[2] << 16))) * (1 + (size[3] | (size[4] << 8) | (size[5] << 16)));

        static long Lossless(uint bits) => (1L + (bits & 0x3FFF)) * (1 + ((bits >> 14) & 0x3FFF));
    }

    /// <summary>Reads the size from the first frame header. An image with a marker without a length before that header is rejected, because decoders interpret it differently.</summary>
    private static long PixelsOfJpeg(ReadOnlySpan<byte> image)
    {
        var offset = 2;
        while (offset + 9 < image.Length && image[offset] == 0xFF)
        {
            var marker = image[offset + 1];
            if (marker is >= 0xC0 and <= 0xCF and not (0xC4 or 0xC8 or 0xCC))
            {
                return (long)BinaryPrimitives.ReadUInt16BigEndian(image[(offset + 5)..]) * BinaryPrimitives.ReadUInt16BigEndian(image[(offset + 7)..]);
            }

            if (marker is <= 0x01 or (>= 0xD0 and <= 0xDA))
            {
                return 0;
            }

            offset += marker == 0xFF ? 1 : 2 + BinaryPrimitives.ReadUInt16BigEndian(image[(offset + 2)..]);
        }

        return 0;
    }
}
