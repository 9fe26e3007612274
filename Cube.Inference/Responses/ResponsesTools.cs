using System.Text.Json;
using Cube.Inference.Chat;

namespace Cube.Inference.Responses;

/// <summary>The tools of a response: functions, without the wrapping that a chat has around each.</summary>
internal static class ResponsesTools
{
    private static readonly string[] _members = ["name", "description", "parameters", "strict"];

    public static void Check(JsonElement tools, string param) => ChatTools.CheckEach(tools, param, ChatTools.CheckFunction);

    public static void CheckChoice(JsonElement choice, string param) =>
        ChatTools.CheckChoice(choice, param, static (named, where) => FieldChecks.Text(named.Required("name", $"{where}.name"), $"{where}.name"));

    /// <exception cref="RequestRejectedException">It chooses a tool that is not offered.</exception>
    public static ToolChoice ChoiceOf(JsonElement request)
    {
        if (request.Member("tool_choice") is not { ValueKind: JsonValueKind.Object } choice)
        {
            return ChatTools.ChoiceOf(request);
        }

        var name = choice.GetProperty("name").GetString();
        FieldChecks.Value(
            request.Member("tools") is { } offered && offered.EnumerateArray().Any(tool => tool.GetProperty("name").ValueEquals(name)), "tool_choice.name", "no such tool is offered");
        return ToolChoice.Named;
    }

    /// <summary>As a chat has them.</summary>
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

    /// <summary>As a response repeats them: every member is there.</summary>
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
