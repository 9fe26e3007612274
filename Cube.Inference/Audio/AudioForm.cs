using System.Globalization;
using System.Text;
using System.Text.Unicode;

namespace Cube.Inference.Audio;

/// <summary>
/// The form of a transcription or translation. The proxy writes a new form from the known fields, so that the model server cannot interpret the form differently. The bytes of the file are not changed.
/// </summary>
public sealed class AudioForm : InferenceRequest
{
    private const int MaxTextBytes = 64 << 10;
    private static readonly string[] _droppedFields = ["chunking_strategy", "include[]", "include"];
    private static readonly string[] _formats = ["json", "text", "srt", "verbose_json", "vtt"];

    private readonly string _boundary;
    private readonly IReadOnlyList<AudioFormPart> _parts;

    private AudioForm(string boundary, IReadOnlyList<AudioFormPart> parts, ClientRequest client, IgnoredMembers ignored)
        : base(client, ignored) => (_boundary, _parts) = (boundary, parts);

    /// <param name="boundary">The client's boundary. It does not occur in any part.</param>
    /// <param name="parts">All parts of the client's form.</param>
    /// <exception cref="RequestRejectedException">The form is invalid.</exception>
    public static AudioForm Create(string boundary, IEnumerable<AudioFormPart> parts)
    {
        var (known, ignored) = (new List<AudioFormPart>(), new IgnoredMembers());
        foreach (var part in parts)
        {
            Add(part, known, ignored);
        }

        return new AudioForm(boundary, known, Read(known), ignored);
    }

    public override string Write(ByteBuffer output, in RequestTarget target, CancellationToken ct)
    {
        if (!target.Backend.Supports(BackendFeatures.Audio))
        {
            throw new RequestRejectedException(OpenAiError.NotServed);
        }

        foreach (var part in _parts)
        {
            Append(output, $"--{_boundary}\r\nContent-Disposition: form-data; name=\"{part.Name}\"");
            if (part.FileName is { } file)
            {
                Append(output, $"; filename=\"{file}\"");
            }

            Append(output, part.MediaType is { } type ? $"\r\nContent-Type: {type}\r\n\r\n" : "\r\n\r\n");
            output.Append(part.Name == "model" ? Encoding.UTF8.GetBytes(target.Model) : part.Content.Span).Append("\r\n"u8);
        }

        if (Client.IsStream)
        {
            // The proxy always requests the usage.
            Append(output, $"--{_boundary}\r\nContent-Disposition: form-data; name=\"stream_include_usage\"\r\n\r\ntrue\r\n");
        }

        Append(output, $"--{_boundary}--\r\n");
        return $"multipart/form-data; boundary=\"{_boundary}\"";
    }

    private static void Append(ByteBuffer output, string text) => output.Append(Encoding.UTF8.GetBytes(text));

    private static void Add(AudioFormPart part, List<AudioFormPart> known, IgnoredMembers ignored)
    {
        if (part.Name == "file")
        {
            AddOnce(part with { FileName = SafeName(part.FileName ?? "") }, known);
            return;
        }

        if (part.FileName is not null || part.Content.Length > MaxTextBytes || !Utf8.IsValid(part.Content.Span))
        {
            throw new RequestRejectedException(OpenAiError.InvalidForm);
        }

        switch (part.Name)
        {
            case "model" or "language" or "prompt" or "response_format" or "temperature" or "stream":
                AddOnce(part with { MediaType = null }, known);
                break;
            case "timestamp_granularities[]":
                known.Add(part with { MediaType = null });
                break;
            default:
                if (!_droppedFields.Contains(part.Name))
                {
                    ignored.Add(part.Name);
                }

                break;
        }
    }

    private static void AddOnce(AudioFormPart part, List<AudioFormPart> known)
    {
        if (known.Exists(other => other.Name == part.Name))
        {
            throw new RequestRejectedException(OpenAiError.InvalidValue(part.Name, $"Invalid value for '{part.Name}': it must occur only once."));
        }

        known.Add(part);
    }

    private static ClientRequest Read(List<AudioFormPart> parts)
    {
        var model = Text("model") is { Length: > 0 } name ? name : throw new RequestRejectedException(OpenAiError.MissingParameter("model"));
        if (parts.Find(static part => part.Name == "file") is not { Content.Length: > 0 })
        {
            throw new RequestRejectedException(OpenAiError.MissingParameter("file"));
        }

        var format = Text("response_format") ?? "json";
        FieldChecks.Require(_formats.Contains(format), "response_format", $"it must be one of {string.Join(", ", _formats)}");
        FieldChecks.Require(
            Text("temperature") is not { } temperature || (double.TryParse(temperature, NumberStyles.Float, CultureInfo.InvariantCulture, out var number) && number is >= 0 and <= 1),
            "temperature", "it must be between 0 and 1");
        FieldChecks.Require(Text("stream") is not { } stream || stream is "true" or "false", "stream", "it must be true or false");
        var isStream = Text("stream") == "true";
        FieldChecks.Require(!isStream || format == "json", "response_format", "it must be json for a stream");
        foreach (var part in parts.Where(static part => part.Name == "timestamp_granularities[]"))
        {
            FieldChecks.Require(part.Content.Span.SequenceEqual("word"u8) || part.Content.Span.SequenceEqual("segment"u8), "timestamp_granularities", "it must be word or segment");
        }

        return new ClientRequest { Model = model, IsStream = isStream, AudioFormat = format };

        string? Text(string field) => parts.Find(part => part.Name == field) is { } found ? Encoding.UTF8.GetString(found.Content.Span) : null;
    }

    /// <summary>Replaces the file name and keeps its extension, from which a model server recognizes the format.</summary>
    private static string SafeName(string name)
    {
        var extension = Path.GetExtension(name);
        return extension.Length is > 1 and <= 8 && extension.Skip(1).All(char.IsAsciiLetterOrDigit) ? $"audio{extension}" : "audio";
    }
}

/// <summary>One part of a multipart form.</summary>
/// <param name="Name">The name of the field.</param>
/// <param name="FileName">The file name; null for a text field.</param>
/// <param name="MediaType">The media type of a file; null if the client sent none.</param>
/// <param name="Content">The bytes of the part.</param>
public sealed record AudioFormPart(string Name, string? FileName, string? MediaType, ReadOnlyMemory<byte> Content);
