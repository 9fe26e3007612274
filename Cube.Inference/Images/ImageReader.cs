using System.Buffers;
using System.Buffers.Binary;
using System.Buffers.Text;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json;

namespace Cube.Inference.Images;

/// <summary>
/// Images come in the request itself or not at all: an address would have the model server fetch it, from wherever it stands. Their
/// declared size is read from their headers, so that none unpacks to more than a model server can hold.
/// </summary>
internal static class ImageReader
{
    private const long MaxPixels = 64 << 20;

    /// <summary>More than any type with its parameters.</summary>
    private const int MaxPrefixLength = 256;

    private static readonly string[] _types = ["image/png", "image/jpeg", "image/jpg", "image/webp", "image/gif"];

    /// <returns>The image's pixels.</returns>
    public static long CheckUrl(JsonElement url, string param)
    {
        FieldChecks.String(url, param);
        var raw = Text(url);
        FieldChecks.Require(TypeOf(raw, out var data) is not null, param, "it must be a data: URL with a PNG, JPEG, WebP or GIF in base64; addresses are not fetched");
        return Decode(raw[data..], param);
    }

    /// <returns>The pixels of an image that is base64 alone.</returns>
    public static long CheckData(JsonElement data, string param)
    {
        FieldChecks.String(data, param);
        return Decode(Text(data), param);
    }

    /// <summary>Writes a URL that was checked without parameters and in small letters: that is the one form that every model server reads.</summary>
    public static void WriteUrl(JsonElement url, Utf8JsonWriter json)
    {
        var raw = Text(url);
        var head = $"data:{TypeOf(raw, out var data)};base64,";
        if (raw.StartsWith(Encoding.ASCII.GetBytes(head)))
        {
            json.WriteRaw(url);
            return;
        }

        var written = new byte[head.Length + raw.Length - data];
        raw[data..].CopyTo(written.AsSpan(Encoding.ASCII.GetBytes(head, written)));
        json.WriteStringValue(written);
    }

    /// <summary>RFC 2397: <c>data:[type][;parameter]*[;base64],data</c>, the words in any case, the parameters in any order.</summary>
    /// <param name="url">The bytes of the URL.</param>
    /// <param name="data">Where the data begins.</param>
    /// <returns>The type in small letters; null for what is no image in base64.</returns>
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
        FieldChecks.Require(Base64.IsValid(encoded, out var length) && length > 0, param, "it is not base64");
        var bytes = ArrayPool<byte>.Shared.Rent(length);
        try
        {
            var pixels = Base64.DecodeFromUtf8(encoded, bytes, out _, out var written) == OperationStatus.Done ? PixelsOf(bytes.AsSpan(0, written)) : 0;
            FieldChecks.Require(pixels is > 0 and <= MaxPixels, param, $"it is no image of at most {MaxPixels} pixels");
            return pixels;
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(bytes, clearArray: true);
        }
    }

    public static void CheckBase64(JsonElement data, string param)
    {
        FieldChecks.String(data, param);
        FieldChecks.Require(Base64.IsValid(Text(data), out var length) && length > 0, param, "it is not base64");
    }

    /// <summary>The bytes between the quotes. Escapes would be in the way only of <c>\/</c>, which some writers make.</summary>
    private static ReadOnlySpan<byte> Text(JsonElement value)
    {
        var raw = JsonMarshal.GetRawUtf8Value(value)[1..^1];
        return raw.Contains((byte)'\\') ? Encoding.UTF8.GetBytes(value.GetString()!) : raw;
    }

    /// <returns>Width times height as the header says; 0 for what is none of the four.</returns>
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

    /// <summary>The largest of all that its chunks say: a canvas may be smaller than the frame that is unpacked.</summary>
    private static long PixelsOfWebP(ReadOnlySpan<byte> image)
    {
        var most = 0L;
        for (var at = 12L; at + 8 < image.Length; at += 8 + (long)BinaryPrimitives.ReadUInt32LittleEndian(image[((int)at + 4)..]))
        {
            at += at & 1;
            if (at + 18 > image.Length)
            {
                break;
            }

            var kind = image.Slice((int)at, 4);
            var chunk = image[((int)at + 8)..];
            var pixels = kind.SequenceEqual("VP8X"u8) ? Canvas(chunk[4..])
                : kind.SequenceEqual("ANMF"u8) ? (chunk.Length < 12 ? long.MaxValue : Canvas(chunk[6..]))
                : kind.SequenceEqual("VP8L"u8) ? Lossless(BinaryPrimitives.ReadUInt32LittleEndian(chunk[1..]))
                : kind.SequenceEqual("VP8 "u8) ? (long)(BinaryPrimitives.ReadUInt16LittleEndian(chunk[6..]) & 0x3FFF) * (BinaryPrimitives.ReadUInt16LittleEndian(chunk[8..]) & 0x3FFF)
                : 0;
            most = Math.Max(most, pixels);
        }

        return most;

        static long Canvas(ReadOnlySpan<byte> size) => (1L + (size[0] | (size[1] << 8) | (size[2] << 16))) * (1 + (size[3] | (size[4] << 8) | (size[5] << 16)));

        static long Lossless(uint bits) => (1L + (bits & 0x3FFF)) * (1 + ((bits >> 14) & 0x3FFF));
    }

    /// <summary>From segment to segment, to the first that starts a frame. A marker without a length before it is no image here: readers differ on what follows.</summary>
    private static long PixelsOfJpeg(ReadOnlySpan<byte> image)
    {
        var at = 2;
        while (at + 9 < image.Length && image[at] == 0xFF)
        {
            var marker = image[at + 1];
            if (marker is >= 0xC0 and <= 0xCF and not (0xC4 or 0xC8 or 0xCC))
            {
                return (long)BinaryPrimitives.ReadUInt16BigEndian(image[(at + 5)..]) * BinaryPrimitives.ReadUInt16BigEndian(image[(at + 7)..]);
            }

            if (marker is <= 0x01 or (>= 0xD0 and <= 0xDA))
            {
                return 0;
            }

            at += marker == 0xFF ? 1 : 2 + BinaryPrimitives.ReadUInt16BigEndian(image[(at + 2)..]);
        }

        return 0;
    }
}
