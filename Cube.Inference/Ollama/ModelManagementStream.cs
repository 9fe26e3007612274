using System.Text;
using System.Text.Json;

namespace Cube.Inference.Ollama;

/// <summary>
/// Translates the progress of a change of Ollama's models, line by line: <c>status</c>, and for downloads <c>digest</c>, and <c>total</c> and <c>completed</c> in bytes. The last status is
/// <c>success</c>.
/// </summary>
internal sealed class ModelManagementStream : IStreamTranslator
{
    private static readonly string[] _members = ["status", "digest", "total", "completed"];
    private bool _isDone;

    public string ContentType => "application/x-ndjson";

    public bool IsLineDelimited => true;

    public TokenUsage? Usage => null;

    public OpenAiError Failure { get; private set; } = OpenAiError.UpstreamError;

    public StreamStep Write(ReadOnlySpan<byte> data, ByteBuffer output)
    {
        try
        {
            var reader = new Utf8JsonReader(data);
            var line = JsonElement.ParseValue(ref reader);
            if (!_isDone && line.Member("error") is null && line.Member("status") is { ValueKind: JsonValueKind.String } status)
            {
                _isDone = status.ValueEquals("success"u8);
                using (var json = new Utf8JsonWriter(output))
                {
                    json.WriteStartObject();
                    foreach (var member in _members)
                    {
                        if (line.Member(member) is { ValueKind: JsonValueKind.String or JsonValueKind.Number } value)
                        {
                            json.WriteRaw(member, value);
                        }
                    }

                    json.WriteEndObject();
                }

                output.Append("\n"u8);
                return StreamStep.More;
            }
        }
        catch (Exception exception) when (exception is JsonException or InvalidOperationException)
        {
            // The line is not a JSON object.
        }

        Failure = data.IndexOf("file does not exist"u8) >= 0 ? OpenAiError.ModelNotFound : OpenAiError.ModelChangeFailed;
        return StreamStep.Failed;
    }

    public StreamStep Complete(ByteBuffer output) => _isDone ? StreamStep.Done : StreamStep.Failed;

    public void WriteError(OpenAiError failure, ByteBuffer output) =>
        output.Append("{\"error\":"u8).Append(Encoding.UTF8.GetBytes(JsonSerializer.Serialize(failure.Message))).Append("}\n"u8);
}
