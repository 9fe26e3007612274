using System.Text.Json;
using Cube.Inference.Chat;
using Cube.Inference.Images;

namespace Cube.Inference.Responses;

/// <summary>The <c>input</c> of a request to <c>/v1/responses</c>. It is checked item by item and written as the messages of a chat. Items cannot refer to stored responses, because Cube stores none.</summary>
internal static class ResponsesInput
{
    public static void Check(JsonElement input, string param)
    {
        if (input.ValueKind == JsonValueKind.String)
        {
            return;
        }

        FieldChecks.RequireType(input.ValueKind == JsonValueKind.Array, param, "a string or an array of items");
        FieldChecks.Require(input.GetArrayLength() > 0, param, "there must be at least one item");
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

    /// <summary>The images of messages and of tool outputs.</summary>
    public static IEnumerable<RequestImage> ImagesOf(JsonElement input) => input.ValueKind != JsonValueKind.Array ? [] : input.EnumerateArray()
        .SelectMany(static (item, i) => TypeOf(item, "") switch
        {
            "message" => ContentParts.ImagesOf(item.Member("content"), $"input[{i}].content", "input_image", "image_url"),
            "function_call_output" => ContentParts.ImagesOf(item.Member("output"), $"input[{i}].output", "input_image", "image_url"),
            _ => [],
        });

    private static string TypeOf(JsonElement item, string param)
    {
        if (item.Member("type") is not { } type)
        {
            return "message";
        }

        FieldChecks.String(type, $"{param}.type");
        return type.GetString() ?? "";
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
                    FieldChecks.String(item.Required(name, $"{param}.{name}"), $"{param}.{name}");
                }

                ToolArguments.Check(item, param);
                break;
            case "function_call_output":
                FieldChecks.String(item.Required("call_id", $"{param}.call_id"), $"{param}.call_id");
                CheckContent(item.Required("output", $"{param}.output"), $"{param}.output");
                break;
            case "reasoning":
                break;
            default:
                throw new RequestRejectedException(OpenAiError.UnsupportedValue($"{param}.type", "items can be message, function_call, function_call_output and reasoning"));
        }
    }

    private static void CheckContent(JsonElement content, string param) =>
        ContentParts.Check(content, param, CheckPart, "input_text, input_image, output_text and refusal");

    private static bool CheckPart(string type, JsonElement part, string param) => type switch
    {
        "input_text" or "output_text" => ContentParts.CheckString(part, "text", param),
        "refusal" => ContentParts.CheckString(part, "refusal", param),
        "input_image" => ContentParts.CheckString(part, "image_url", param),
        _ => false,
    };

    private static void WriteItems(JsonElement input, Utf8JsonWriter json)
    {
        var isInCalls = false;
        foreach (var item in input.EnumerateArray())
        {
            var type = TypeOf(item, "");
            if (type == "reasoning")
            {
                // Chats have no member for earlier reasoning.
                continue;
            }

            if (isInCalls && type != "function_call")
            {
                EndCalls(json);
                isInCalls = false;
            }

            if (type == "function_call")
            {
                isInCalls = WriteCall(item, json, isInCalls);
            }
            else
            {
                WriteMessage(item, isToolOutput: type == "function_call_output", json);
            }
        }

        if (isInCalls)
        {
            EndCalls(json);
        }
    }

    private static void WriteMessage(JsonElement item, bool isToolOutput, Utf8JsonWriter json)
    {
        json.WriteStartObject();
        if (isToolOutput)
        {
            json.WriteString("role", "tool");
            json.WriteRaw("tool_call_id", item.GetProperty("call_id"));
        }
        else
        {
            json.WriteRaw("role", item.GetProperty("role"));
        }

        WriteContent(item.GetProperty(isToolOutput ? "output" : "content"), json);
        json.WriteEndObject();
    }

    private static void EndCalls(Utf8JsonWriter json)
    {
        json.WriteEndArray();
        json.WriteEndObject();
    }

    /// <summary>Writes consecutive calls as one message of the assistant.</summary>
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
        ToolArguments.WriteString(item, json);
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
