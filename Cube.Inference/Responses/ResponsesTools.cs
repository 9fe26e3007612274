using System.Text.Json;
using Cube.Inference.Chat;

namespace Cube.Inference.Responses;

/// <summary>The tools of a request to <c>/v1/responses</c>. The members of a function are members of the tool itself, not of an object <c>function</c> as in chats.</summary>
internal static class ResponsesTools
{
    private static readonly string[] _members = ["name", "description", "parameters", "strict"];

    public static void Check(JsonElement tools, string param) => ChatTools.CheckEach(tools, param, ChatTools.CheckFunction);

    public static void CheckChoice(JsonElement choice, string param) =>
        ChatTools.CheckChoice(choice, param, static (named, where) => FieldChecks.String(named.Required("name", $"{where}.name"), $"{where}.name"));

    /// <exception cref="RequestRejectedException">The request requires a tool that is not in <c>tools</c>.</exception>
    public static ToolChoice ChoiceOf(JsonElement request)
    {
        if (request.Member("tool_choice") is not { ValueKind: JsonValueKind.Object } choice)
        {
            return ChatTools.ChoiceOf(request);
        }

        var name = choice.GetProperty("name").GetString();
        FieldChecks.Require(
            request.Member("tools") is { } tools && tools.EnumerateArray().Any(tool => tool.GetProperty("name").ValueEquals(name)), "tool_choice.name", "the request has no tool with this name");
        return ToolChoice.Named;
    }

    /// <summary>Writes the tools in the format of a chat.</summary>
    public static void Write(JsonElement request, Utf8JsonWriter json)
    {
        if (request.Member("tools") is { } tools)
        {
            json.WriteStartArray("tools");
            foreach (var tool in tools.EnumerateArray())
            {
                json.WriteStartObject();
                json.WriteString("type", "function");
                json.WriteStartObject("function");
                foreach (var member in _members)
                {
                    if (tool.Member(member) is { } value)
                    {
                        json.WriteRaw(member, value);
                    }
                }

                json.WriteEndObject();
                json.WriteEndObject();
            }

            json.WriteEndArray();
        }

        if (request.Member("tool_choice") is not { } choice)
        {
            return;
        }

        if (choice.ValueKind == JsonValueKind.String)
        {
            json.WriteRaw("tool_choice", choice);
            return;
        }

        json.WriteStartObject("tool_choice");
        json.WriteString("type", "function");
        json.WriteStartObject("function");
        json.WriteRaw("name", choice.GetProperty("name"));
        json.WriteEndObject();
        json.WriteEndObject();
    }

    /// <summary>Writes the tools as a response repeats them: with every member.</summary>
    public static void WriteEcho(JsonElement tools, Utf8JsonWriter json)
    {
        foreach (var tool in tools.EnumerateArray())
        {
            json.WriteStartObject();
            json.WriteString("type", "function");
            foreach (var member in _members)
            {
                json.WritePropertyName(member);
                if (tool.Member(member) is { } value)
                {
                    json.WriteRaw(value);
                }
                else
                {
                    json.WriteNullValue();
                }
            }

            json.WriteEndObject();
        }
    }
}
