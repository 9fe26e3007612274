using System.Globalization;
using System.Text;
using System.Text.Json;

namespace Cube.Inference.Audio;

/// <summary>Translates transcriptions and translations, in the format that the client requested.</summary>
internal sealed class AudioResponseTranslator : ResponseTranslator
{
    private static readonly string[] _verboseMembers = ["language", "text", "segments", "words"];

    public override IStreamTranslator BeginStream(ClientRequest request, TimeProvider time) => new TranscriptionStream(request);

    public override BufferedResponse WriteBuffered(ReadOnlyMemory<byte> body, string? mediaType, ClientRequest request, DateTimeOffset now, ByteBuffer output) =>
        new(Write(body, mediaType, request.AudioFormat, output), null);

    /// <returns>The content type of the client's response.</returns>
    private static string Write(ReadOnlyMemory<byte> body, string? mediaType, string format, ByteBuffer output)
    {
        if (mediaType != "application/json")
        {
            if (format is "json" or "verbose_json" || mediaType is null || !mediaType.StartsWith("text/", StringComparison.Ordinal))
            {
                throw new JsonException("The model server's response has another format.");
            }

            output.Append(body.Span);
            return ContentTypeOf(format);
        }

        using var document = JsonDocument.Parse(body);
        var root = document.RootElement;
        var text = root.ValueKind == JsonValueKind.Object ? root.Member("text") : root;
        if (text is not { ValueKind: JsonValueKind.String } transcript)
        {
            throw new JsonException("The model server's response has no text.");
        }

        if (format is "json" or "verbose_json")
        {
            using var json = new Utf8JsonWriter(output, new JsonWriterOptions { SkipValidation = true });
            json.WriteStartObject();
            if (format == "json")
            {
                json.WriteRaw("text", transcript);
            }
            else
            {
                WriteVerbose(root, json);
            }

            WriteUsage(root, json);
            json.WriteEndObject();
            return "application/json";
        }

        output.Append(Encoding.UTF8.GetBytes(transcript.GetString() ?? ""));
        return ContentTypeOf(format);
    }

    private static string ContentTypeOf(string format) => format == "vtt" ? "text/vtt; charset=utf-8" : "text/plain; charset=utf-8";

    private static void WriteVerbose(JsonElement root, Utf8JsonWriter json)
    {
        json.WriteString("task", root.Member("task") is { ValueKind: JsonValueKind.String } task && task.ValueEquals("translate"u8) ? "translate" : "transcribe");
        // vLLM writes the number as a string.
        var duration = root.Member("duration") ?? throw new JsonException("The model server's response has no duration.");
        json.WriteNumber("duration", duration.ValueKind == JsonValueKind.Number ? duration.GetDouble()
            : double.TryParse(duration.GetString(), NumberStyles.Float, CultureInfo.InvariantCulture, out var seconds) && double.IsFinite(seconds) ? seconds
            : throw new JsonException("The model server's response has no duration."));
        foreach (var name in _verboseMembers)
        {
            if (root.Member(name) is { } value)
            {
                json.WriteRaw(name, value);
            }
            else if (name == "language")
            {
                json.WriteString(name, "");
            }
        }
    }

    private static void WriteUsage(JsonElement root, Utf8JsonWriter json)
    {
        if (root.ValueKind == JsonValueKind.Object && root.Member("usage") is { ValueKind: JsonValueKind.Object } usage && usage.Member("seconds") is { ValueKind: JsonValueKind.Number } seconds)
        {
            json.WriteStartObject("usage");
            json.WriteString("type", "duration");
            json.WriteRaw("seconds", seconds);
            json.WriteEndObject();
        }
    }
}
