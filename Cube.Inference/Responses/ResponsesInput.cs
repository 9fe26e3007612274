using System.Text.Json;
using Cube.Inference.Chat;
using Cube.Inference.Images;

namespace Cube.Inference.Responses;

/// <summary>The <c>input</c> of a response: checked item by item, and said as messages of a chat. Nothing is stored, so nothing can be referred to.</summary>
internal static class ResponsesInput
{
    public static void Check(JsonElement input, string param)
    {
        if (input.ValueKind == JsonValueKind.String)
        {
            return;
        }

        FieldChecks.Type(input.ValueKind == JsonValueKind.Array, param, "a string or an array of items");
        FieldChecks.Value(input.GetArrayLength() > 0, param, "there must be at least one item");
        var i = 0;
        foreach (var item in input.EnumerateArray())
        {
            CheckItem(item, $"{param}[{i++}]");
        }
    }

    public static void Write(JsonElement request, Utf8JsonWriter json)
    {
        json.WriteStartArray("messages");
        if (request.Member("instructions") is { } instructions)
        {
            json.WriteStartObject();
            json.WriteString("role", "system");
            json.WriteRaw("content", instructions);
            json.WriteEndObject();
        }

        var input = request.GetProperty("input");
        if (input.ValueKind == JsonValueKind.String)
        {
            json.WriteStartObject();
            json.WriteString("role", "user");
            json.WriteRaw("content", input);
            json.WriteEndObject();
        }
        else
        {
            WriteItems(input, json);
        }

        json.WriteEndArray();
    }

    /// <summary>Of messages and of what tools gave back.</summary>
    public static IEnumerable<SentImage> ImagesOf(JsonElement input)
    {
        if (input.ValueKind != JsonValueKind.Array)
        {
            yield break;
        }

        var i = -1;
        foreach (var item in input.EnumerateArray())
        {
            i++;
            var name = TypeOf(item, "") switch { "message" => "content", "function_call_output" => "output", _ => null };
            if (name is null || item.Member(name) is not { ValueKind: JsonValueKind.Array } parts)
            {
                continue;
            }

            var k = 0;
            foreach (var part in parts.EnumerateArray())
            {
                if (part.GetProperty("type").ValueEquals("input_image"u8))
                {
                    yield return new SentImage(part.GetProperty("image_url"), $"input[{i}].{name}[{k}].image_url", IsUrl: true);
                }

                k++;
            }
        }
    }

    private static string TypeOf(JsonElement item, string param)
    {
        if (item.Member("type") is not { } type)
        {
            return "message";
        }

        FieldChecks.Text(type, $"{param}.type");
        return type.GetString()!;
    }

    private static void CheckItem(JsonElement item, string param)
    {
        FieldChecks.Object(item, param);
        switch (TypeOf(item, param))
        {
            case "message":
                var role = item.Required("role", $"{param}.role");
                FieldChecks.OneOf("user", "assistant", "system", "developer")(role, $"{param}.role");
                CheckContent(item.Required("content", $"{param}.content"), $"{param}.content");
                break;
            case "function_call":
                foreach (var name in (string[])["call_id", "name"])
                {
                    FieldChecks.Text(item.Required(name, $"{param}.{name}"), $"{param}.{name}");
                }

                ToolArguments.Check(item, param);
                break;
            case "function_call_output":
                FieldChecks.Text(item.Required("call_id", $"{param}.call_id"), $"{param}.call_id");
                CheckContent(item.Required("output", $"{param}.output"), $"{param}.output");
                break;
            case "reasoning":
                break;
            default:
                throw new RequestRejectedException(OpenAiError.UnsupportedValue($"{param}.type", "items can be message, function_call, function_call_output and reasoning"));
        }
    }

    private static void CheckContent(JsonElement content, string param)
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
            switch (type.GetString())
            {
                case "input_text" or "output_text":
                    FieldChecks.Text(part.Required("text", $"{where}.text"), $"{where}.text");
                    break;
                case "refusal":
                    FieldChecks.Text(part.Required("refusal", $"{where}.refusal"), $"{where}.refusal");
                    break;
                case "input_image":
                    FieldChecks.Text(part.Required("image_url", $"{where}.image_url"), $"{where}.image_url");
                    break;
                default:
                    throw new RequestRejectedException(OpenAiError.UnsupportedValue($"{where}.type", "parts can be input_text, input_image, output_text and refusal"));
            }
        }
    }

    private static void WriteItems(JsonElement input, Utf8JsonWriter json)
    {
        var isInCalls = false;
        foreach (var item in input.EnumerateArray())
        {
            var type = TypeOf(item, "");
            if (type == "reasoning")
            {
                // A model's own thoughts are not given back to it in a chat.
                continue;
            }

            if (isInCalls && type != "function_call")
            {
                json.WriteEndArray();
                json.WriteEndObject();
                isInCalls = false;
            }

            switch (type)
            {
                case "function_call":
                    isInCalls = WriteCall(item, json, isInCalls);
                    break;
                case "function_call_output":
                    json.WriteStartObject();
                    json.WriteString("role", "tool");
                    json.WriteRaw("tool_call_id", item.GetProperty("call_id"));
                    WriteContent(item.GetProperty("output"), json);
                    json.WriteEndObject();
                    break;
                default:
                    json.WriteStartObject();
                    json.WriteRaw("role", item.GetProperty("role"));
                    WriteContent(item.GetProperty("content"), json);
                    json.WriteEndObject();
                    break;
            }
        }

        if (isInCalls)
        {
            json.WriteEndArray();
            json.WriteEndObject();
        }
    }

    /// <summary>Calls that follow one another are one message of the assistant's.</summary>
    private static bool WriteCall(JsonElement item, Utf8JsonWriter json, bool isInCalls)
    {
        if (!isInCalls)
        {
            json.WriteStartObject();
            json.WriteString("role", "assistant");
            json.WriteNull("content");
            json.WriteStartArray("tool_calls");
        }

        json.WriteStartObject();
        json.WriteRaw("id", item.GetProperty("call_id"));
        json.WriteString("type", "function");
        json.WriteStartObject("function");
        json.WriteRaw("name", item.GetProperty("name"));
        ToolArguments.WriteText(item, json);
        json.WriteEndObject();
        json.WriteEndObject();
        return true;
    }

    private static void WriteContent(JsonElement content, Utf8JsonWriter json)
    {
        if (content.ValueKind == JsonValueKind.String)
        {
            json.WriteRaw("content", content);
            return;
        }

        json.WriteStartArray("content");
        foreach (var part in content.EnumerateArray())
        {
            json.WriteStartObject();
            switch (part.GetProperty("type").GetString())
            {
                case "input_image":
                    json.WriteString("type", "image_url");
                    json.WriteStartObject("image_url");
                    json.WriteRaw("url", part.GetProperty("image_url"));
                    json.WriteEndObject();
                    break;
                case "refusal":
                    json.WriteString("type", "refusal");
                    json.WriteRaw("refusal", part.GetProperty("refusal"));
                    break;
                default:
                    json.WriteString("type", "text");
                    json.WriteRaw("text", part.GetProperty("text"));
                    break;
            }

            json.WriteEndObject();
        }

        json.WriteEndArray();
    }
}
