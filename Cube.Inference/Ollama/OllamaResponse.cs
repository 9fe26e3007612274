using System.Text.Json;

namespace Cube.Inference.Ollama;

/// <summary>Translates one object of Ollama's API: a line of a stream, or a buffered response. Members that the API does not have are omitted, at every depth.</summary>
internal static class OllamaResponse
{
    private static readonly KnownMember[] _logprob = [new("token"u8), new("logprob"u8), new("bytes"u8)];

    private static readonly KnownMember[] _members =
    [
        new("model"u8), new("created_at"u8), new("response"u8), new("thinking"u8), new("done"u8), new("done_reason"u8), new("context"u8),
        new("total_duration"u8), new("load_duration"u8), new("prompt_eval_count"u8), new("prompt_eval_duration"u8), new("eval_count"u8), new("eval_duration"u8),
        new("embedding"u8), new("embeddings"u8),
        new("message"u8, new("role"u8), new("content"u8), new("thinking"u8), new("images"u8), new("tool_name"u8), new("tool_call_id"u8), ToolCalls()),
        ToolCalls(),
        new("logprobs"u8, [.. _logprob, new("top_logprobs"u8, _logprob) { IsRequired = true }]),
    ];

    /// <param name="data">The model server's object.</param>
    /// <param name="model">The model's name as the client wrote it, with its quotes.</param>
    /// <param name="output">Receives the client's object.</param>
    /// <param name="usage">The usage; null if the object has none.</param>
    /// <param name="isDone">Whether the object is the last one (<c>done</c>).</param>
    /// <returns>False if the object is an error, or has no member of the API.</returns>
    public static bool Write(ReadOnlySpan<byte> data, ReadOnlySpan<byte> model, ByteBuffer output, out TokenUsage? usage, out bool isDone)
    {
        (usage, isDone) = (null, false);
        var (prompt, completion) = ((long?)null, 0L);
        var reader = new Utf8JsonReader(data);
        if (!reader.Read() || reader.TokenType != JsonTokenType.StartObject)
        {
            return false;
        }

        var mark = output.Length;
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            if (reader.ValueTextEquals("error"u8))
            {
                return false;
            }

            if (Find(_members, ref reader) is not { } member)
            {
                reader.Read();
                reader.Skip();
                continue;
            }

            var value = RawOrNull(ref reader, data);
            isDone |= member.Is("done"u8) && value.SequenceEqual("true"u8);
            prompt = member.Is("prompt_eval_count"u8) ? CountOf(value) : prompt;
            completion = member.Is("eval_count"u8) ? CountOf(value) : completion;
            output.Append(output.Length == mark ? "{"u8 : ","u8).Append(member.Prefix);
            WriteValue(member.Is("model"u8) ? model : value, member, output);
        }

        if (output.Length == mark)
        {
            return false;
        }

        output.Append("}"u8);
        usage = prompt is { } known ? new TokenUsage(known, completion) : completion > 0 ? new TokenUsage(0, completion) : null;
        return true;
    }

    private static KnownMember ToolCalls() => new("tool_calls"u8, new("id"u8), new("function"u8, new("index"u8), new("name"u8), new("description"u8), new("arguments"u8) { AllowsAnyValue = true }));

    /// <summary>Copies a value. If known members are listed, only these are written.</summary>
    /// <exception cref="JsonException">The type of the value differs from the API.</exception>
    private static void WriteValue(ReadOnlySpan<byte> value, KnownMember member, ByteBuffer output)
    {
        if (member.Children.Length == 0 || value.SequenceEqual("null"u8))
        {
            // In an array, '{' starts an object or occurs in a string. Strings in the API's arrays are base64, which has no '{'.
            if (!member.AllowsAnyValue && value[0] is (byte)'{' or (byte)'[' && value.Contains((byte)'{'))
            {
                throw new JsonException("A member of Ollama's response has an unexpected object.");
            }

            output.Append(member.IsRequired && value.SequenceEqual("null"u8) ? "[]"u8 : value);
            return;
        }

        var reader = new Utf8JsonReader(value);
        reader.Read();
        if (reader.TokenType == JsonTokenType.StartObject)
        {
            WriteObject(ref reader, value, member, output);
            return;
        }

        if (reader.TokenType != JsonTokenType.StartArray)
        {
            throw new JsonException("A member of Ollama's response is neither an object nor an array.");
        }

        output.Append("["u8);
        var isFirst = true;
        while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
        {
            if (reader.TokenType != JsonTokenType.StartObject)
            {
                throw new JsonException("An element of Ollama's response is not an object.");
            }

            output.Append(isFirst ? default : ","u8);
            isFirst = false;
            WriteObject(ref reader, value, member, output);
        }

        output.Append("]"u8);
    }

    private static void WriteObject(ref Utf8JsonReader reader, ReadOnlySpan<byte> json, KnownMember parent, ByteBuffer output)
    {
        output.Append("{"u8);
        var (mark, isMissing) = (output.Length, true);
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            if (Find(parent.Children, ref reader) is not { } member)
            {
                reader.Read();
                reader.Skip();
                continue;
            }

            isMissing &= !member.IsRequired;
            output.Append(output.Length == mark ? default : ","u8).Append(member.Prefix);
            WriteValue(RawOrNull(ref reader, json), member, output);
        }

        foreach (var member in parent.Children)
        {
            if (isMissing && member.IsRequired)
            {
                output.Append(output.Length == mark ? default : ","u8).Append(member.Prefix).Append("[]"u8);
            }
        }

        output.Append("}"u8);
    }

    private static KnownMember? Find(KnownMember[] members, ref Utf8JsonReader reader)
    {
        foreach (var member in members)
        {
            if (reader.ValueTextEquals(member.Name))
            {
                return member;
            }
        }

        return null;
    }

    private static ReadOnlySpan<byte> RawOrNull(ref Utf8JsonReader reader, ReadOnlySpan<byte> json) => JsonBytes.ReadRaw(ref reader, json) is { IsEmpty: false } raw ? raw : "null"u8;

    private static long CountOf(ReadOnlySpan<byte> value)
    {
        var reader = new Utf8JsonReader(value);
        return Math.Max(JsonBytes.ReadInteger(ref reader) ?? 0, 0);
    }

    /// <summary>A member of Ollama's API. If its value is an object or an array of objects, the children are the known members; otherwise the value contains no object.</summary>
    private sealed class KnownMember(ReadOnlySpan<byte> name, params KnownMember[] children)
    {
        private readonly byte[] _name = name.ToArray();

        public ReadOnlySpan<byte> Name => _name;

        /// <summary>The name with its quotes and the colon.</summary>
        public byte[] Prefix { get; } = [(byte)'"', .. name, (byte)'"', (byte)':'];

        public KnownMember[] Children { get; } = children;

        /// <summary>Whether the value can be any JSON, such as the arguments of a tool call.</summary>
        public bool AllowsAnyValue { get; init; }

        /// <summary>Whether the member is an array that is written as an empty one if Ollama omits it. An object has at most one such member.</summary>
        public bool IsRequired { get; init; }

        public bool Is(ReadOnlySpan<byte> name) => _name.AsSpan().SequenceEqual(name);
    }
}
