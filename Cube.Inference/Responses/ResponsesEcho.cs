using System.Text.Json;

namespace Cube.Inference.Responses;

/// <summary>The members of a request that its response repeats. They are copied, because the request's body is returned to the pool before the response ends.</summary>
internal static class ResponsesEcho
{
    /// <returns>Members of an object, each preceded by a comma.</returns>
    public static ReadOnlyMemory<byte> Of(JsonElement request)
    {
        using var output = new ByteBuffer(1024);
        using (var json = new Utf8JsonWriter(output, new JsonWriterOptions { SkipValidation = true }))
        {
            json.WriteStartObject();
            WriteMembers(request, json);
            json.WriteEndObject();
        }

        var members = output.Written.ToArray();
        members[0] = (byte)',';
        return members.AsMemory(..^1);
    }

    private static void WriteMembers(JsonElement request, Utf8JsonWriter json)
    {
        json.WriteBoolean("background", false);
        Write("instructions", "null"u8);
        Write("max_output_tokens", "null"u8);
        Write("metadata", "{}"u8);
        Write("parallel_tool_calls", "true"u8);
        json.WriteNull("previous_response_id");
        json.WriteStartObject("reasoning");
        json.WritePropertyName("effort");
        json.WriteRawOrNull(request.Member("reasoning")?.Member("effort"));
        json.WriteNull("summary");
        json.WriteEndObject();
        json.WriteBoolean("store", false);
        Write("temperature", "1"u8);
        WriteText(request, json);
        Write("tool_choice", "\"auto\""u8);
        WriteTools(request, json);
        json.WriteNumber("top_logprobs", 0);
        Write("top_p", "1"u8);
        json.WriteString("truncation", "disabled");

        void Write(string name, ReadOnlySpan<byte> defaultValue)
        {
            json.WritePropertyName(name);
            if (request.Member(name) is { } value)
            {
                json.WriteRaw(value);
            }
            else
            {
                json.WriteRawValue(defaultValue);
            }
        }
    }

    private static void WriteText(JsonElement request, Utf8JsonWriter json)
    {
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
    }

    private static void WriteTools(JsonElement request, Utf8JsonWriter json)
    {
        json.WriteStartArray("tools");
        if (request.Member("tools") is { } tools)
        {
            ResponsesTools.WriteEcho(tools, json);
        }

        json.WriteEndArray();
    }
}
