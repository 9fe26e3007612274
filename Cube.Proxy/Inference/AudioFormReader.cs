using System.Runtime.InteropServices;
using Cube.Inference.Audio;
using Cube.Inference.Errors;
using Microsoft.AspNetCore.WebUtilities;
using Microsoft.Net.Http.Headers;

namespace Cube.Proxy.Inference;

/// <summary>Reads the multipart form of a transcription or translation (RFC 7578). The parts are slices of the body.</summary>
internal static class AudioFormReader
{
    /// <summary>Maximum number of parts, including ignored ones.</summary>
    private const int MaxParts = 64;

    /// <param name="body">The body. Must stay unchanged while the form is used.</param>
    /// <param name="contentType">The header <c>Content-Type</c>.</param>
    /// <param name="ct">Cancels the read.</param>
    /// <exception cref="RequestRejectedException">The body is not a valid form.</exception>
    public static async Task<AudioForm> ReadAsync(ReadOnlyMemory<byte> body, string? contentType, CancellationToken ct)
    {
        var boundary = MediaTypeHeaderValue.TryParse(contentType, out var type) ? HeaderUtilities.RemoveQuotes(type.Boundary).ToString() : "";
        if (boundary.Length is 0 or > 70 || !boundary.All(static character => char.IsAsciiLetterOrDigit(character) || "'()+_,-./:=?".Contains(character, StringComparison.Ordinal)))
        {
            throw new RequestRejectedException(OpenAiError.InvalidForm);
        }

        MemoryMarshal.TryGetArray(body, out var bytes);
        var parts = new List<AudioFormPart>();
        try
        {
            var reader = new MultipartReader(boundary, new MemoryStream(bytes.Array ?? [], bytes.Offset, bytes.Count, writable: false)) { HeadersCountLimit = 16, HeadersLengthLimit = 4096 };
            while (await reader.ReadNextSectionAsync(ct) is { } section)
            {
                await section.Body.DrainAsync(ct);
                parts.Add(parts.Count < MaxParts
                    ? Read(section, body.Slice((int)(section.BaseStreamOffset ?? 0), (int)section.Body.Length))
                    : throw new RequestRejectedException(OpenAiError.InvalidForm));
            }
        }
        catch (Exception exception) when (exception is IOException or InvalidDataException)
        {
            throw new RequestRejectedException(OpenAiError.InvalidForm);
        }

        return AudioForm.Create(boundary, parts);
    }

    private static AudioFormPart Read(MultipartSection section, ReadOnlyMemory<byte> content)
    {
        if (!ContentDispositionHeaderValue.TryParse(section.ContentDisposition, out var disposition) || !disposition.DispositionType.Equals("form-data", StringComparison.OrdinalIgnoreCase)
            || section.Headers is not { } headers || headers.Values.Any(static values => values.Count != 1) || !IsPlain(headers.GetValueOrDefault("Content-Transfer-Encoding").ToString()))
        {
            throw new RequestRejectedException(OpenAiError.InvalidForm);
        }

        var fileName = disposition.FileName.Length > 0 ? HeaderUtilities.RemoveQuotes(disposition.FileName) : disposition.FileNameStar;
        return new AudioFormPart(
            HeaderUtilities.RemoveQuotes(disposition.Name).ToString(),
            fileName.Length > 0 ? fileName.ToString() : null,
            MediaTypeHeaderValue.TryParse(section.ContentType, out var type) ? type.MediaType.ToString() : null,
            content);
    }

    /// <summary>Accepts only encodings that do not change the content. RFC 7578, section 4.7 deprecates the header; a model server could decode a part that the proxy does not.</summary>
    private static bool IsPlain(string encoding) =>
        encoding.Length == 0 || encoding.Equals("binary", StringComparison.OrdinalIgnoreCase) || encoding.Equals("8bit", StringComparison.OrdinalIgnoreCase) || encoding.Equals("7bit", StringComparison.OrdinalIgnoreCase);
}
