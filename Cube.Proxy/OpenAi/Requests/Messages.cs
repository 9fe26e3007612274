using System.Text;
using System.Text.Json;
using Cube.ServiceDefaults.Errors;

namespace Cube.Proxy.OpenAi.Requests;

/// <summary>The messages of a chat: checked member by member, written with nothing but what is known.</summary>
internal static class Messages
{
    private static readonly string[] _passed = ["name", "tool_call_id", "tool_calls"];

    public static void Check(JsonElement messages, string param)
    {
        Checks.Array(messages, param);
        Checks.Value(messages.GetArrayLength() > 0, param, "there must be at least one message");
        var i = 0;
        foreach (var message in messages.EnumerateArray())
        {
            CheckOne(message, $"{param}[{i++}]");
        }
    }

    private static void CheckOne(JsonElement message, string param)
    {
        Checks.Object(message, param);
        RefuseOtherLetters(message, param);
        var role = message.Required("role", $"{param}.role");
        Checks.Text(role, $"{param}.role");
        if (role.ValueEquals("function"u8))
        {
            throw new RefusedException(OpenAiError.UnsupportedValue($"{param}.role", "use tools"));
        }

        Checks.Value(
            role.ValueEquals("system"u8) || role.ValueEquals("developer"u8) || role.ValueEquals("user"u8) || role.ValueEquals("assistant"u8) || role.ValueEquals("tool"u8),
            $"{param}.role", "it must be one of system, developer, user, assistant, tool");
        if (message.Member("function_call") is not null)
        {
            throw new RefusedException(OpenAiError.UnsupportedParameter($"{param}.function_call"));
        }

        if (message.Member("name") is { } name)
        {
            Checks.Text(name, $"{param}.name");
        }

        if (role.ValueEquals("tool"u8))
        {
            Checks.Text(message.Required("tool_call_id", $"{param}.tool_call_id"), $"{param}.tool_call_id");
        }

        var isAssistant = role.ValueEquals("assistant"u8);
        var calls = message.Member("tool_calls");
        if (calls is { } some)
        {
            Checks.Value(isAssistant, $"{param}.tool_calls", "only the assistant calls tools");
            CheckCalls(some, $"{param}.tool_calls");
        }

        if (message.Member("content") is { } content)
        {
            CheckContent(content, $"{param}.content", isAssistant);
        }
        else if (!isAssistant)
        {
            throw new RefusedException(OpenAiError.MissingParameter($"{param}.content"));
        }
    }

    private static void CheckCalls(JsonElement calls, string param)
    {
        Checks.Array(calls, param);
        var i = 0;
        foreach (var call in calls.EnumerateArray())
        {
            var where = $"{param}[{i++}]";
            Checks.Object(call, where);
            Checks.Text(call.Required("id", $"{where}.id"), $"{where}.id");
            var type = call.Required("type", $"{where}.type");
            Checks.OneOf("function")(type, $"{where}.type");
            var function = call.Required("function", $"{where}.function");
            Checks.Object(function, $"{where}.function");
            Checks.Text(function.Required("name", $"{where}.function.name"), $"{where}.function.name");
            Checks.Text(function.Required("arguments", $"{where}.function.arguments"), $"{where}.function.arguments");
        }
    }

    private static void CheckContent(JsonElement content, string param, bool isAssistant)
    {
        if (content.ValueKind == JsonValueKind.String)
        {
            return;
        }

        Checks.Type(content.ValueKind == JsonValueKind.Array, param, "a string or an array of parts");
        Checks.Value(content.GetArrayLength() > 0, param, "there must be at least one part");
        var i = 0;
        foreach (var part in content.EnumerateArray())
        {
            var where = $"{param}[{i++}]";
            Checks.Object(part, where);
            RefuseOtherLetters(part, where);
            var type = part.Required("type", $"{where}.type");
            Checks.Text(type, $"{where}.type");
            if (type.ValueEquals("text"u8))
            {
                Checks.Text(part.Required("text", $"{where}.text"), $"{where}.text");
            }
            else if (type.ValueEquals("refusal"u8) && isAssistant)
            {
                Checks.Text(part.Required("refusal", $"{where}.refusal"), $"{where}.refusal");
            }
            else if (type.ValueEquals("image_url"u8))
            {
                var image = part.Required("image_url", $"{where}.image_url");
                Checks.Object(image, $"{where}.image_url");
                Images.Check(image.Required("url", $"{where}.image_url.url"), $"{where}.image_url.url");
            }
            else if (type.ValueEquals("input_audio"u8))
            {
                var audio = part.Required("input_audio", $"{where}.input_audio");
                Checks.Object(audio, $"{where}.input_audio");
                Images.CheckBase64(audio.Required("data", $"{where}.input_audio.data"), $"{where}.input_audio.data");
                Checks.OneOf("wav", "mp3")(audio.Required("format", $"{where}.input_audio.format"), $"{where}.input_audio.format");
            }
            else
            {
                throw new RefusedException(OpenAiError.UnsupportedValue($"{where}.type", "parts can be text, image_url and input_audio"));
            }
        }
    }

    /// <summary>A reader written in Go takes <c>Content</c> for <c>content</c>, and the last one counts.</summary>
    private static void RefuseOtherLetters(JsonElement json, string param)
    {
        foreach (var member in json.EnumerateObject())
        {
            foreach (var character in member.Name)
            {
                Checks.Value(!char.IsAsciiLetterUpper(character), param, "its members are written in lower case");
            }
        }
    }

    public static void Write(JsonElement messages, Utf8JsonWriter json, BackendKind kind)
    {
        json.WriteStartArray("messages");
        foreach (var message in messages.EnumerateArray())
        {
            json.WriteStartObject();
            if (message.GetProperty("role") is var role && role.ValueEquals("developer"u8))
            {
                json.WriteString("role"u8, "system"u8);
            }
            else
            {
                json.WriteRaw("role", role);
            }

            if (message.TryGetProperty("content", out var content))
            {
                WriteContent(content, json, kind);
            }

            foreach (var name in _passed)
            {
                if (message.Member(name) is { } value)
                {
                    json.WriteRaw(name, value);
                }
            }

            json.WriteEndObject();
        }

        json.WriteEndArray();
    }

    /// <summary>Ollama makes a message of its own of each part; what is text alone goes there as one text.</summary>
    private static void WriteContent(JsonElement content, Utf8JsonWriter json, BackendKind kind)
    {
        if (content.ValueKind != JsonValueKind.Array)
        {
            json.WriteRaw("content", content);
            return;
        }

        if (kind != BackendKind.Vllm && content.EnumerateArray().All(static part => part.GetProperty("type").ValueEquals("text"u8)))
        {
            var text = new StringBuilder();
            foreach (var part in content.EnumerateArray())
            {
                text.Append(text.Length > 0 ? "\n" : "").Append(part.GetProperty("text").GetString());
            }

            json.WriteString("content", text.ToString());
            return;
        }

        json.WriteStartArray("content");
        foreach (var part in content.EnumerateArray())
        {
            json.WriteStartObject();
            var type = part.GetProperty("type");
            json.WriteRaw("type", type);
            var name = type.GetString()!;
            if (name == "image_url")
            {
                // Its detail means nothing to either.
                json.WriteStartObject(name);
                json.WriteRaw("url", part.GetProperty(name).GetProperty("url"));
                json.WriteEndObject();
            }
            else
            {
                json.WriteRaw(name, part.GetProperty(name));
            }

            json.WriteEndObject();
        }

        json.WriteEndArray();
    }
}
