using System.Text;
using System.Text.Json;
using Cube.Inference.Images;

namespace Cube.Inference.Chat;

/// <summary>The messages of a chat: checked member by member, written with nothing but what is known.</summary>
internal static class ChatMessages
{
    private static readonly string[] _passed = ["name", "tool_call_id"];

    public static void Check(JsonElement messages, string param)
    {
        FieldChecks.Array(messages, param);
        FieldChecks.Value(messages.GetArrayLength() > 0, param, "there must be at least one message");
        var i = 0;
        foreach (var message in messages.EnumerateArray())
        {
            CheckOne(message, $"{param}[{i++}]");
        }
    }

    private static void CheckOne(JsonElement message, string param)
    {
        FieldChecks.Object(message, param);
        var role = message.Required("role", $"{param}.role");
        FieldChecks.Text(role, $"{param}.role");
        if (role.ValueEquals("function"u8))
        {
            throw new RequestRejectedException(OpenAiError.UnsupportedValue($"{param}.role", "use tools"));
        }

        FieldChecks.Value(
            role.ValueEquals("system"u8) || role.ValueEquals("developer"u8) || role.ValueEquals("user"u8) || role.ValueEquals("assistant"u8) || role.ValueEquals("tool"u8),
            $"{param}.role", "it must be one of system, developer, user, assistant, tool");
        if (message.Member("function_call") is not null)
        {
            throw new RequestRejectedException(OpenAiError.UnsupportedParameter($"{param}.function_call"));
        }

        if (message.Member("name") is { } name)
        {
            FieldChecks.Text(name, $"{param}.name");
        }

        if (role.ValueEquals("tool"u8))
        {
            FieldChecks.Text(message.Required("tool_call_id", $"{param}.tool_call_id"), $"{param}.tool_call_id");
        }

        var isAssistant = role.ValueEquals("assistant"u8);
        var calls = message.Member("tool_calls");
        if (calls is { } some)
        {
            FieldChecks.Value(isAssistant, $"{param}.tool_calls", "only the assistant calls tools");
            CheckCalls(some, $"{param}.tool_calls");
        }

        if (message.Member("content") is { } content)
        {
            CheckContent(content, $"{param}.content", isAssistant);
        }
        else if (!SaysSomething(message, isAssistant))
        {
            throw new RequestRejectedException(OpenAiError.MissingParameter($"{param}.content"));
        }
    }

    private static void CheckCalls(JsonElement calls, string param)
    {
        FieldChecks.Array(calls, param);
        var i = 0;
        foreach (var call in calls.EnumerateArray())
        {
            var where = $"{param}[{i++}]";
            FieldChecks.Object(call, where);
            FieldChecks.Text(call.Required("id", $"{where}.id"), $"{where}.id");
            var type = call.Required("type", $"{where}.type");
            FieldChecks.OneOf("function")(type, $"{where}.type");
            var function = call.Required("function", $"{where}.function");
            FieldChecks.Object(function, $"{where}.function");
            FieldChecks.Text(function.Required("name", $"{where}.function.name"), $"{where}.function.name");
            ToolArguments.Check(function, $"{where}.function");
        }
    }

    private static void CheckContent(JsonElement content, string param, bool isAssistant)
    {
        if (content.ValueKind == JsonValueKind.String)
        {
            return;
        }

        FieldChecks.Type(content.ValueKind == JsonValueKind.Array, param, "a string or an array of parts");
        FieldChecks.Value(content.GetArrayLength() > 0, param, "there must be at least one part");
        var i = 0;
        foreach (var part in content.EnumerateArray())
        {
            var where = $"{param}[{i++}]";
            FieldChecks.Object(part, where);
            var type = part.Required("type", $"{where}.type");
            FieldChecks.Text(type, $"{where}.type");
            if (type.ValueEquals("text"u8))
            {
                FieldChecks.Text(part.Required("text", $"{where}.text"), $"{where}.text");
            }
            else if (type.ValueEquals("refusal"u8) && isAssistant)
            {
                FieldChecks.Text(part.Required("refusal", $"{where}.refusal"), $"{where}.refusal");
            }
            else if (type.ValueEquals("image_url"u8))
            {
                var image = part.Required("image_url", $"{where}.image_url");
                FieldChecks.Object(image, $"{where}.image_url");
                FieldChecks.Text(image.Required("url", $"{where}.image_url.url"), $"{where}.image_url.url");
            }
            else if (type.ValueEquals("input_audio"u8))
            {
                var audio = part.Required("input_audio", $"{where}.input_audio");
                FieldChecks.Object(audio, $"{where}.input_audio");
                ImageReader.CheckBase64(audio.Required("data", $"{where}.input_audio.data"), $"{where}.input_audio.data");
                FieldChecks.OneOf("wav", "mp3")(audio.Required("format", $"{where}.input_audio.format"), $"{where}.input_audio.format");
            }
            else
            {
                throw new RequestRejectedException(OpenAiError.UnsupportedValue($"{where}.type", "parts can be text, image_url and input_audio"));
            }
        }
    }

    /// <summary>A message says something: a text, calls, or, of a model that refused, why.</summary>
    private static bool SaysSomething(JsonElement message, bool isAssistant) =>
        isAssistant && (message.Member("tool_calls") is { } calls && calls.GetArrayLength() > 0 || message.Member("refusal") is { ValueKind: JsonValueKind.String });

    public static IEnumerable<SentImage> ImagesOf(JsonElement messages, string param)
    {
        var i = -1;
        foreach (var message in messages.EnumerateArray())
        {
            i++;
            if (message.Member("content") is not { ValueKind: JsonValueKind.Array } parts)
            {
                continue;
            }

            var k = 0;
            foreach (var part in parts.EnumerateArray())
            {
                if (part.GetProperty("type").ValueEquals("image_url"u8))
                {
                    yield return new SentImage(part.GetProperty("image_url").GetProperty("url"), $"{param}[{i}].content[{k}].image_url.url", IsUrl: true);
                }

                k++;
            }
        }
    }

    public static void Write(JsonElement messages, Utf8JsonWriter json, BackendProtocol backend)
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

            if (message.Member("content") is { } content)
            {
                WriteContent(content, json, backend);
            }
            else
            {
                json.WritePropertyName("content");
                json.WriteRawOrNull(message.Member("refusal"));
            }

            foreach (var name in _passed)
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

    private static void WriteCalls(JsonElement calls, Utf8JsonWriter json)
    {
        json.WriteStartArray("tool_calls");
        foreach (var call in calls.EnumerateArray())
        {
            json.WriteStartObject();
            json.WriteRaw("id", call.GetProperty("id"));
            json.WriteString("type"u8, "function"u8);
            var function = call.GetProperty("function");
            json.WriteStartObject("function");
            json.WriteRaw("name", function.GetProperty("name"));
            ToolArguments.WriteText(function, json);
            json.WriteEndObject();
            json.WriteEndObject();
        }

        json.WriteEndArray();
    }

    /// <summary>Ollama makes a separate message of each part, so content of text parts only is joined for such a server.</summary>
    private static void WriteContent(JsonElement content, Utf8JsonWriter json, BackendProtocol backend)
    {
        if (content.ValueKind != JsonValueKind.Array)
        {
            json.WriteRaw("content", content);
            return;
        }

        if (!backend.Supports(BackendFeatures.TextParts) && content.EnumerateArray().All(static part => part.GetProperty("type").ValueEquals("text"u8)))
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
            WritePart(type.GetString()!, part, json);
            json.WriteEndObject();
        }

        json.WriteEndArray();
    }

    private static void WritePart(string type, JsonElement part, Utf8JsonWriter json)
    {
        if (type is not ("image_url" or "input_audio"))
        {
            json.WriteRaw(type, part.GetProperty(type));
            return;
        }

        json.WriteStartObject(type);
        var inner = part.GetProperty(type);
        if (type == "image_url")
        {
            // Its detail means nothing to either.
            json.WritePropertyName("url");
            ImageReader.WriteUrl(inner.GetProperty("url"), json);
        }
        else
        {
            json.WriteRaw("data", inner.GetProperty("data"));
            json.WriteRaw("format", inner.GetProperty("format"));
        }

        json.WriteEndObject();
    }
}
