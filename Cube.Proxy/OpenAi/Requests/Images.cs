using System.Buffers;
using System.Buffers.Binary;
using System.Buffers.Text;
using System.Runtime.InteropServices;
using System.Text.Json;

namespace Cube.Proxy.OpenAi.Requests;

/// <summary>
/// Images come in the request itself or not at all: an address would have the model server fetch it, from wherever it stands. Their
/// declared size is read from their headers, so that none unpacks to more than a model server can hold.
/// </summary>
internal static class Images
{
    private const long MostPixels = 64 << 20;

    private static readonly string[] _prefixes = ["data:image/png;base64,", "data:image/jpeg;base64,", "data:image/jpg;base64,", "data:image/webp;base64,", "data:image/gif;base64,"];

    public static void Check(JsonElement url, string param)
    {
        Checks.Text(url, param);
        var raw = Text(url);
        var prefix = -1;
        foreach (var known in _prefixes)
        {
            if (raw.Length >= known.Length && System.Text.Ascii.EqualsIgnoreCase(raw[..known.Length], known))
            {
                prefix = known.Length;
                break;
            }
        }

        Checks.Value(prefix > 0, param, "it must be a data: URL with a PNG, JPEG, WebP or GIF in base64; addresses are not fetched");
        var encoded = raw[prefix..];
        Checks.Value(Base64.IsValid(encoded, out var length) && length > 0, param, "it is not base64");
        var bytes = ArrayPool<byte>.Shared.Rent(length);
        try
        {
            Checks.Value(
                Base64.DecodeFromUtf8(encoded, bytes, out _, out var written) == OperationStatus.Done && PixelsOf(bytes.AsSpan(0, written)) is > 0 and <= MostPixels,
                param, $"it is no image of at most {MostPixels} pixels");
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(bytes, clearArray: true);
        }
    }

    public static void CheckBase64(JsonElement data, string param)
    {
        Checks.Text(data, param);
        Checks.Value(Base64.IsValid(Text(data), out var length) && length > 0, param, "it is not base64");
    }

    /// <summary>The bytes between the quotes. Escapes would be in the way only of <c>\/</c>, which some writers make.</summary>
    private static ReadOnlySpan<byte> Text(JsonElement value)
    {
        var raw = JsonMarshal.GetRawUtf8Value(value)[1..^1];
        return raw.Contains((byte)'\\') ? System.Text.Encoding.UTF8.GetBytes(value.GetString()!) : raw;
    }

    /// <returns>Width times height as the header says; 0 for what is none of the four.</returns>
    internal static long PixelsOf(ReadOnlySpan<byte> image)
    {
        if (image.Length >= 8 && image[0] == 0x89 && image[1..8].SequenceEqual("PNG\r\n\u001a\n"u8))
        {
            return image.Length < 24 ? 0 : (long)BinaryPrimitives.ReadUInt32BigEndian(image[16..]) * BinaryPrimitives.ReadUInt32BigEndian(image[20..]);
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

    private static long PixelsOfWebP(ReadOnlySpan<byte> image)
    {
        var kind = image[12..16];
        if (kind.SequenceEqual("VP8X"u8))
        {
            return (1L + (image[24] | (image[25] << 8) | (image[26] << 16))) * (1 + (image[27] | (image[28] << 8) | (image[29] << 16)));
        }

        if (kind.SequenceEqual("VP8L"u8))
        {
            var bits = BinaryPrimitives.ReadUInt32LittleEndian(image[21..]);
            return (1L + (bits & 0x3FFF)) * (1 + ((bits >> 14) & 0x3FFF));
        }

        return kind.SequenceEqual("VP8 "u8)
            ? (long)(BinaryPrimitives.ReadUInt16LittleEndian(image[26..]) & 0x3FFF) * (BinaryPrimitives.ReadUInt16LittleEndian(image[28..]) & 0x3FFF)
            : 0;
    }

    /// <summary>From segment to segment, to the first that starts a frame.</summary>
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

            at += marker == 0xFF ? 1 : 2 + BinaryPrimitives.ReadUInt16BigEndian(image[(at + 2)..]);
        }

        return 0;
    }
}
