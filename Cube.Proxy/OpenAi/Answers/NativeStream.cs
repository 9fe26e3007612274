using System.Text;
using System.Text.Json;
using Cube.Proxy.OpenAi.Requests;
using Cube.ServiceDefaults.Errors;

namespace Cube.Proxy.OpenAi.Answers;

/// <summary>A stream of Ollama's own: lines of JSON, the last of which says that it is done. They pass as they are but for the model's name.</summary>
internal sealed class NativeStream(ClientRequest request) : IAnswerStream
{
    private readonly byte[] _model = JsonSerializer.SerializeToUtf8Bytes(request.Model);
    private bool _isDone;

    public string ContentType => "application/x-ndjson";

    public bool IsLines => true;

    public TokenUsage? Usage { get; private set; }

    public StreamStep Write(ReadOnlySpan<byte> data, ByteBuffer output)
    {
        var mark = output.Length;
        try
        {
            if (!_isDone && NativeAnswer.Write(data, _model, output, out var usage, out _isDone))
            {
                output.Append("\n"u8);
                Usage = usage ?? Usage;
                return StreamStep.More;
            }
        }
        catch (Exception exception) when (exception is JsonException or InvalidOperationException)
        {
            // No line of JSON.
        }

        output.Truncate(mark);
        return StreamStep.Failed;
    }

    public StreamStep End(ByteBuffer output) => _isDone ? StreamStep.Done : StreamStep.Failed;

    public void WriteError(OpenAiError error, ByteBuffer output) =>
        output.Append("{\"error\":"u8).Append(Encoding.UTF8.GetBytes(JsonSerializer.Serialize(error.Message))).Append("}\n"u8);
}

/// <summary>One object of Ollama's own: a line of a stream, or a whole answer.</summary>
internal static class NativeAnswer
{
    /// <param name="data">The object.</param>
    /// <param name="model">The model's name as the client wrote it, with its quotes.</param>
    /// <param name="output">Where it is written.</param>
    /// <param name="usage">What it cost, where it says so.</param>
    /// <param name="isDone">It says that it is the last.</param>
    /// <returns>False where it is an error.</returns>
    public static bool Write(ReadOnlySpan<byte> data, ReadOnlySpan<byte> model, ByteBuffer output, out TokenUsage? usage, out bool isDone)
    {
        (usage, isDone) = (null, false);
        var (prompt, completion) = ((long?)null, 0L);
        var reader = new Utf8JsonReader(data);
        if (!reader.Read() || reader.TokenType != JsonTokenType.StartObject)
        {
            return false;
        }

        output.Append("{"u8);
        var isFirst = true;
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            if (reader.ValueTextEquals("error"u8))
            {
                return false;
            }

            var name = data[(int)reader.TokenStartIndex..(int)reader.BytesConsumed];
            var kind = reader.ValueTextEquals("model"u8) ? 'm' : reader.ValueTextEquals("done"u8) ? 'd' : reader.ValueTextEquals("prompt_eval_count"u8) ? 'p' : reader.ValueTextEquals("eval_count"u8) ? 'c' : ' ';
            reader.Read();
            var start = (int)reader.TokenStartIndex;
            isDone |= kind == 'd' && reader.TokenType == JsonTokenType.True;
            if (kind is 'p' or 'c' && reader.TokenType == JsonTokenType.Number && reader.TryGetInt64(out var count))
            {
                (prompt, completion) = kind == 'p' ? (count, completion) : (prompt ?? 0, count);
            }

            reader.Skip();
            output.Append(isFirst ? default : ","u8).Append(name);
            if (name[^1] != ':')
            {
                output.Append(":"u8);
            }

            output.Append(kind == 'm' ? model : data[start..(int)reader.BytesConsumed]);
            isFirst = false;
        }

        output.Append("}"u8);
        usage = prompt is { } known ? new TokenUsage(known, completion) : null;
        return !isFirst;
    }
}
