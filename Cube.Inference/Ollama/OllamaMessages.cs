using System.Text.Json;
using Cube.Inference.Chat;
using Cube.Inference.Images;

namespace Cube.Inference.Ollama;

/// <summary>The messages of requests of Ollama's API. They are checked member by member, and only known members are written.</summary>
internal static class OllamaMessages
{
    private static readonly string[] _copiedMembers = ["role", "content", "thinking", "images", "tool_name", "tool_call_id"];

    public static void Check(JsonElement messages, string param)
    {
        FieldChecks.Array(messages, param);
        FieldChecks.Require(messages.GetArrayLength() > 0, param, "there must be at least one message");
        var i = 0;
        foreach (var message in messages.EnumerateArray())
        {
            var where = $"{param}[{i++}]";
            FieldChecks.Object(message, where);
            FieldChecks.OneOf("system", "user", "assistant", "tool")(message.Required("role", $"{where}.role"), $"{where}.role");
            foreach (var name in (string[])["content", "thinking", "tool_name", "tool_call_id"])
            {
                if (message.Member(name) is { } text)
                {
                    FieldChecks.String(text, $"{where}.{name}");
                }
            }

            if (message.Member("images") is { } images)
            {
                FieldChecks.Array(images, $"{where}.images");
            }

            if (message.Member("tool_calls") is { } calls)
            {
                CheckCalls(calls, $"{where}.tool_calls");
            }
        }
    }

    public static IEnumerable<RequestImage> ImagesOf(JsonElement messages, string param)
    {
        var i = 0;
        foreach (var message in messages.EnumerateArray())
        {
            var where = $"{param}[{i++}].images";
            foreach (var image in message.Member("images")?.EnumerateArray() ?? default)
            {
                yield return new RequestImage(image, where, IsUrl: false);
            }
        }
    }

    public static void Write(JsonElement messages, Utf8JsonWriter json)
    {
        json.WriteStartArray("messages");
        foreach (var message in messages.EnumerateArray())
        {
            json.WriteStartObject();
            foreach (var name in _copiedMembers)
            {
                if (message.Member(name) is { } value)
                {
                    json.WriteRaw(name, value);
                }
            }

            if (message.Member("tool_calls") is { } calls && calls.GetArrayLength() > 0)
            {
                WriteCalls(calls, json);
            }

            json.WriteEndObject();
        }

        json.WriteEndArray();
    }

    private static void CheckCalls(JsonElement calls, string param)
    {
        FieldChecks.Array(calls, param);
        var i = 0;
        foreach (var call in calls.EnumerateArray())
        {
            var where = $"{param}[{i++}].function";
            FieldChecks.Object(call, param);
            var function = call.Required("function", where);
            FieldChecks.Object(function, where);
            FieldChecks.String(function.Required("name", $"{where}.name"), $"{where}.name");
            if (function.Member("arguments") is { } arguments)
            {
                FieldChecks.RequireType(arguments.ValueKind == JsonValueKind.Object || ToolArguments.IsNone(arguments), $"{where}.arguments", "an object");
            }
        }
    }

    private static void WriteCalls(JsonElement calls, Utf8JsonWriter json)
    {
        json.WriteStartArray("tool_calls");
        foreach (var call in calls.EnumerateArray())
        {
            json.WriteStartObject();
            if (call.Member("id") is { } id)
            {
                json.WriteRaw("id", id);
            }

            var function = call.GetProperty("function");
            json.WriteStartObject("function");
            if (function.Member("index") is { } index)
            {
                json.WriteRaw("index", index);
            }

            json.WriteRaw("name", function.GetProperty("name"));
            ToolArguments.WriteObject(function, json);
            json.WriteEndObject();
            json.WriteEndObject();
        }

        json.WriteEndArray();
    }
}
