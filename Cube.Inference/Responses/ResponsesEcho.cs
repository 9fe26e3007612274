using System.Text.Json;

namespace Cube.Inference.Responses;

/// <summary>What a response repeats of its request. It is made before the request's body is given back, and lives as long as the answer.</summary>
internal static class ResponsesEcho
{
    /// <returns>Members of an object, each after a comma.</returns>
    public static ReadOnlyMemory<byte> Of(JsonElement request)
    {
        using var output = new ByteBuffer(1024);
        using (var json = new Utf8JsonWriter(output, new JsonWriterOptions { SkipValidation = true }))
        {
            json.WriteStartObject();
            json.WriteBoolean("background", false);
            Write("instructions", "null"u8);
            Write("max_output_tokens", "null"u8);
            Write("metadata", "{}"u8);
            Write("parallel_tool_calls", "true"u8);
            json.WriteNull("previous_response_id");
            json.WriteStartObject("reasoning");
            json.WritePropertyName("effort");
            json.WriteRawValue(request.Member("reasoning")?.Member("effort") is { } effort ? effort.GetRawText() : "null");
            json.WriteNull("summary");
            json.WriteEndObject();
            json.WriteBoolean("store", false);
            Write("temperature", "1"u8);
            json.WriteStartObject("text");
            json.WritePropertyName("format");
            if (request.Member("text")?.Member("format") is { } format)
            {
                json.WriteRaw(format);
            }
            else
            {
                json.WriteRawValue("""{"type":"text"}""");
            }

            json.WriteEndObject();
            Write("tool_choice", "\"auto\""u8);
            json.WriteStartArray("tools");
            if (request.Member("tools") is { } tools)
            {
                ResponsesTools.WriteEcho(tools, json);
            }

            json.WriteEndArray();
            json.WriteNumber("top_logprobs", 0);
            Write("top_p", "1"u8);
            json.WriteString("truncation", "disabled");
            json.WriteEndObject();

            void Write(string name, ReadOnlySpan<byte> otherwise)
            {
                json.WritePropertyName(name);
                if (request.Member(name) is { } value)
                {
                    json.WriteRaw(value);
                }
                else
                {
                    json.WriteRawValue(otherwise);
                }
            }
        }

        var members = output.Written.ToArray();
        members[0] = (byte)',';
        return members.AsMemory(..^1);
    }
}
