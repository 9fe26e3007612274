using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;
using Cube.ServiceDefaults.Errors;
using Microsoft.AspNetCore.WebUtilities;
using Microsoft.Net.Http.Headers;

namespace Cube.Proxy.OpenAi.Requests.Audio;

/// <summary>
/// The form of a transcription or translation. Its parts go to the model server under the client's own boundary, each byte of the file as it
/// is; but the form is written anew, so that no two readers can see two forms, and no field gets by that is not known.
/// </summary>
internal sealed class AudioForm
{
    /// <summary>Of every kind: a part that goes nowhere counts too.</summary>
    private const int MostParts = 64;
    private const int MostText = 64 << 10;

    /// <summary>OpenAI's own that change nothing here.</summary>
    private static readonly string[] _dropped = ["chunking_strategy", "include[]", "include"];

    private static readonly string[] _formats = ["json", "text", "srt", "verbose_json", "vtt"];

    private readonly List<Part> _parts = [];
    private int _read;

    private AudioForm(string boundary) => Boundary = boundary;

    /// <param name="Name">The field.</param>
    /// <param name="FileName">Null for a field of text.</param>
    /// <param name="Type">The file's own, where it says one.</param>
    private sealed record Part(string Name, string? FileName, string? Type, ReadOnlyMemory<byte> Content);

    public string Boundary { get; }

    /// <summary>json, text, srt, verbose_json or vtt.</summary>
    public string Format { get; private set; } = "json";

    public string Model { get; private set; } = "";

    public bool IsStream { get; private set; }

    /// <summary>Fields that are not known.</summary>
    public IgnoredMembers Ignored { get; } = new();

    /// <param name="body">The form; its parts are of it.</param>
    /// <param name="contentType">The header.</param>
    /// <exception cref="RefusedException">It is no such form.</exception>
    public static async Task<AudioForm> ReadAsync(ReadOnlyMemory<byte> body, string? contentType, CancellationToken ct)
    {
        var boundary = MediaTypeHeaderValue.TryParse(contentType, out var type) ? HeaderUtilities.RemoveQuotes(type.Boundary).ToString() : "";
        if (boundary.Length is 0 or > 70 || !boundary.All(static character => char.IsAsciiLetterOrDigit(character) || "'()+_,-./:=?".Contains(character, StringComparison.Ordinal)))
        {
            throw new RefusedException(OpenAiError.InvalidForm);
        }

        MemoryMarshal.TryGetArray(body, out var bytes);
        var form = new AudioForm(boundary);
        try
        {
            var reader = new MultipartReader(boundary, new MemoryStream(bytes.Array!, bytes.Offset, bytes.Count, writable: false)) { HeadersCountLimit = 16, HeadersLengthLimit = 4096 };
            while (await reader.ReadNextSectionAsync(ct) is { } section)
            {
                await section.Body.DrainAsync(ct);
                form.Add(section, body.Slice((int)section.BaseStreamOffset!.Value, (int)section.Body.Length));
            }
        }
        catch (Exception exception) when (exception is IOException or InvalidDataException)
        {
            throw new RefusedException(OpenAiError.InvalidForm);
        }

        form.Check();
        return form;
    }

    /// <summary>The form as the model server gets it.</summary>
    public void Write(ByteBuffer output, string model)
    {
        foreach (var part in _parts)
        {
            Append($"--{Boundary}\r\nContent-Disposition: form-data; name=\"{part.Name}\"");
            if (part.FileName is { } file)
            {
                Append($"; filename=\"{file}\"");
            }

            Append(part.Type is { } type ? $"\r\nContent-Type: {type}\r\n\r\n" : "\r\n\r\n");
            output.Append(part.Name == "model" ? Encoding.UTF8.GetBytes(model) : part.Content.Span).Append("\r\n"u8);
        }

        if (IsStream)
        {
            // What it cost is always asked for.
            Append($"--{Boundary}\r\nContent-Disposition: form-data; name=\"stream_include_usage\"\r\n\r\ntrue\r\n");
        }

        Append($"--{Boundary}--\r\n");

        void Append(string text) => output.Append(Encoding.UTF8.GetBytes(text));
    }

    private void Add(MultipartSection section, ReadOnlyMemory<byte> content)
    {
        if (++_read > MostParts || !ContentDispositionHeaderValue.TryParse(section.ContentDisposition, out var disposition) || !disposition.DispositionType.Equals("form-data", StringComparison.OrdinalIgnoreCase)
            || section.Headers!.Values.Any(static values => values.Count != 1) || !IsPlain(section.Headers!.GetValueOrDefault("Content-Transfer-Encoding").ToString()))
        {
            throw new RefusedException(OpenAiError.InvalidForm);
        }

        var name = HeaderUtilities.RemoveQuotes(disposition.Name).ToString();
        if (name == "file")
        {
            var type = MediaTypeHeaderValue.TryParse(section.ContentType, out var parsed) ? parsed.MediaType.ToString() : null;
            AddOnce(new Part(name, PlainName((disposition.FileName.Length > 0 ? HeaderUtilities.RemoveQuotes(disposition.FileName) : disposition.FileNameStar).ToString()), type, content));
            return;
        }

        if (disposition.FileName.Length > 0 || disposition.FileNameStar.Length > 0 || content.Length > MostText || !System.Text.Unicode.Utf8.IsValid(content.Span))
        {
            throw new RefusedException(OpenAiError.InvalidForm);
        }

        switch (name)
        {
            case "model" or "language" or "prompt" or "response_format" or "temperature" or "stream":
                AddOnce(new Part(name, null, null, content));
                break;
            case "timestamp_granularities[]":
                _parts.Add(new Part(name, null, null, content));
                break;
            default:
                if (!_dropped.Contains(name))
                {
                    Ignored.Add(name);
                }

                break;
        }
    }

    /// <summary>RFC 7578 has no other encodings any more; a part in one of them would be read otherwise behind this proxy than here.</summary>
    private static bool IsPlain(string encoding) =>
        encoding.Length == 0 || encoding.Equals("binary", StringComparison.OrdinalIgnoreCase) || encoding.Equals("8bit", StringComparison.OrdinalIgnoreCase) || encoding.Equals("7bit", StringComparison.OrdinalIgnoreCase);

    private void AddOnce(Part part)
    {
        if (_parts.Exists(other => other.Name == part.Name))
        {
            throw new RefusedException(OpenAiError.InvalidValue(part.Name, $"Invalid value for '{part.Name}': it is given twice."));
        }

        _parts.Add(part);
    }

    private void Check()
    {
        Model = Text("model") is { Length: > 0 } model ? model : throw new RefusedException(OpenAiError.MissingParameter("model"));
        if (_parts.Find(static part => part.Name == "file") is not { Content.Length: > 0 })
        {
            throw new RefusedException(OpenAiError.MissingParameter("file"));
        }

        Format = Text("response_format") ?? "json";
        Checks.Value(_formats.Contains(Format), "response_format", $"it must be one of {string.Join(", ", _formats)}");
        Checks.Value(Text("temperature") is not { } heat || (double.TryParse(heat, NumberStyles.Float, CultureInfo.InvariantCulture, out var number) && number is >= 0 and <= 1), "temperature", "it must be between 0 and 1");
        Checks.Value(Text("stream") is not { } stream || stream is "true" or "false", "stream", "it must be true or false");
        IsStream = Text("stream") == "true";
        Checks.Value(!IsStream || Format == "json", "response_format", "a stream is json");
        foreach (var part in _parts.Where(static part => part.Name == "timestamp_granularities[]"))
        {
            Checks.Value(part.Content.Span.SequenceEqual("word"u8) || part.Content.Span.SequenceEqual("segment"u8), "timestamp_granularities", "it must be word or segment");
        }
    }

    private string? Text(string name) => _parts.Find(part => part.Name == name) is { } found ? Encoding.UTF8.GetString(found.Content.Span) : null;

    /// <summary>By its ending a model server knows what a file is; nothing else of a client's disk is its business.</summary>
    private static string PlainName(string name)
    {
        var ending = Path.GetExtension(name);
        return ending.Length is > 1 and <= 8 && ending.Skip(1).All(char.IsAsciiLetterOrDigit) ? $"audio{ending}" : "audio";
    }
}
