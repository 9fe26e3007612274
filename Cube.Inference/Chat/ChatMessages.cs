using System.Text;
using System.Text.Json;
using Cube.Inference.Images;

namespace Cube.Inference.Chat;

/// <summary>The messages of a chat request. They are checked member by member, and only known members are written.</summary>
internal static class ChatMessages
{
    private static readonly string[] _copiedMembers = ["name", "tool_call_id"];
    private static readonly string[] _roles = ["system", "developer", "user", "assistant", "tool"];

    public static void Check(JsonElement messages, string param)
    {
        FieldChecks.Array(messages, param);
        FieldChecks.Require(messages.GetArrayLength() > 0, param, "there must be at least one message");
        var i = 0;
        foreach (var message in messages.EnumerateArray())
        {
            CheckMessage(message, $"{param}[{i++}]");
        }
    }

    private static void CheckMessage(JsonElement message, string param)
    {
        FieldChecks.Object(message, param);
        var role = CheckRole(message, param);
        if (message.Member("function_call") is not null)
        {
            throw new RequestRejectedException(OpenAiError.UnsupportedParameter($"{param}.function_call"));
        }

        if (message.Member("name") is { } name)
        {
            FieldChecks.String(name, $"{param}.name");
        }

        if (role == "tool")
        {
            FieldChecks.String(message.Required("tool_call_id", $"{param}.tool_call_id"), $"{param}.tool_call_id");
        }

        var isAssistant = role == "assistant";
        if (message.Member("tool_calls") is { } calls)
        {
            FieldChecks.Require(isAssistant, $"{param}.tool_calls", "only messages of the assistant can have tool calls");
            CheckCalls(calls, $"{param}.tool_calls");
        }

        if (message.Member("content") is { } content)
        {
            ContentParts.Check(content, $"{param}.content", isAssistant ? CheckAssistantPart : CheckPart, "text, image_url and input_audio");
        }
        else if (!isAssistant || !CanOmitContent(message))
        {
            throw new RequestRejectedException(OpenAiError.MissingParameter($"{param}.content"));
        }
    }

    private static string CheckRole(JsonElement message, string param)
    {
        var role = message.Required("role", $"{param}.role");
        FieldChecks.String(role, $"{param}.role");
        if (role.ValueEquals("function"u8))
        {
            throw new RequestRejectedException(OpenAiError.UnsupportedValue($"{param}.role", "use tools"));
        }

        FieldChecks.Require(_roles.Any(role.ValueEquals), $"{param}.role", $"it must be one of {string.Join(", ", _roles)}");
        return role.GetString() ?? "";
    }

    private static void CheckCalls(JsonElement calls, string param)
    {
        FieldChecks.Array(calls, param);
        var i = 0;
        foreach (var call in calls.EnumerateArray())
        {
            var where = $"{param}[{i++}]";
            FieldChecks.Object(call, where);
            FieldChecks.String(call.Required("id", $"{where}.id"), $"{where}.id");
            var type = call.Required("type", $"{where}.type");
            FieldChecks.OneOf("function")(type, $"{where}.type");
            var function = call.Required("function", $"{where}.function");
            FieldChecks.Object(function, $"{where}.function");
            FieldChecks.String(function.Required("name", $"{where}.function.name"), $"{where}.function.name");
            ToolArguments.Check(function, $"{where}.function");
        }
    }

    private static bool CheckPart(string type, JsonElement part, string param)
    {
        switch (type)
        {
            case "text":
                return ContentParts.CheckString(part, "text", param);
            case "image_url":
                var image = part.Required("image_url", $"{param}.image_url");
                FieldChecks.Object(image, $"{param}.image_url");
                return ContentParts.CheckString(image, "url", $"{param}.image_url");
            case "input_audio":
                var audio = part.Required("input_audio", $"{param}.input_audio");
                FieldChecks.Object(audio, $"{param}.input_audio");
                ImageReader.CheckBase64(audio.Required("data", $"{param}.input_audio.data"), $"{param}.input_audio.data");
                FieldChecks.OneOf("wav", "mp3")(audio.Required("format", $"{param}.input_audio.format"), $"{param}.input_audio.format");
                return true;
            default:
                return false;
        }
    }

    private static bool CheckAssistantPart(string type, JsonElement part, string param) =>
        type == "refusal" ? ContentParts.CheckString(part, "refusal", param) : CheckPart(type, part, param);

    /// <summary>A message of the assistant needs no content if it has tool calls or a refusal.</summary>
    private static bool CanOmitContent(JsonElement message) =>
        (message.Member("tool_calls") is { } calls && calls.GetArrayLength() > 0) || message.Member("refusal") is { ValueKind: JsonValueKind.String };

    public static IEnumerable<RequestImage> ImagesOf(JsonElement messages, string param) => messages.EnumerateArray()
        .SelectMany((message, i) => ContentParts.ImagesOf(message.Member("content"), $"{param}[{i}].content", "image_url", "image_url", "url"));

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
            ToolArguments.WriteString(function, json);
            json.WriteEndObject();
            json.WriteEndObject();
        }

        json.WriteEndArray();
    }

    /// <summary>Ollama treats each part as a separate message. Therefore content that has only text parts is joined for such a model server.</summary>
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
            WritePart(type.GetString() ?? "", part, json);
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
            // Neither Ollama nor vLLM uses the detail.
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
