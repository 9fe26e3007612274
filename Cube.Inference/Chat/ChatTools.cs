using System.Text.Json;

namespace Cube.Inference.Chat;

/// <summary>The members <c>tools</c>, <c>tool_choice</c> and <c>parallel_tool_calls</c> of a chat request.</summary>
internal static class ChatTools
{
    /// <summary>The limit of OpenAI's API.</summary>
    private const int MaxTools = 128;

    public static void Check(JsonElement tools, string param) => CheckEach(tools, param, static (tool, where) =>
    {
        var function = tool.Required("function", $"{where}.function");
        FieldChecks.Object(function, $"{where}.function");
        CheckFunction(function, $"{where}.function");
    });

    /// <param name="tools">The value of <c>tools</c>.</param>
    /// <param name="param">The path of the list.</param>
    /// <param name="checkFunction">Checks a tool whose type is <c>function</c>.</param>
    public static void CheckEach(JsonElement tools, string param, FieldCheck checkFunction)
    {
        FieldChecks.Array(tools, param);
        FieldChecks.Require(tools.GetArrayLength() <= MaxTools, param, $"there can be {MaxTools} tools");
        var i = 0;
        foreach (var tool in tools.EnumerateArray())
        {
            var where = $"{param}[{i++}]";
            FieldChecks.Object(tool, where);
            var type = tool.Required("type", $"{where}.type");
            FieldChecks.String(type, $"{where}.type");
            if (!type.ValueEquals("function"u8))
            {
                throw new RequestRejectedException(OpenAiError.UnsupportedValue($"{where}.type", "only function is supported"));
            }

            checkFunction(tool, where);
        }
    }

    public static void CheckFunction(JsonElement function, string param)
    {
        var name = function.Required("name", $"{param}.name");
        FieldChecks.String(name, $"{param}.name");
        FieldChecks.Require(name.GetString() is { Length: >= 1 and <= 64 }, $"{param}.name", "it has 1 to 64 characters");
        if (function.Member("description") is { } description)
        {
            FieldChecks.String(description, $"{param}.description");
        }

        if (function.Member("strict") is { } strict)
        {
            FieldChecks.Boolean(strict, $"{param}.strict");
        }

        if (function.Member("parameters") is { } parameters)
        {
            FieldChecks.Object(parameters, $"{param}.parameters");
            ResponseFormat.CheckSchema(parameters, $"{param}.parameters");
        }
    }

    public static void CheckChoice(JsonElement choice, string param) => CheckChoice(choice, param, static (named, where) =>
    {
        var function = named.Required("function", $"{where}.function");
        FieldChecks.Object(function, $"{where}.function");
        FieldChecks.String(function.Required("name", $"{where}.function.name"), $"{where}.function.name");
    });

    /// <param name="choice">The value of <c>tool_choice</c>: a string, or an object that names a function.</param>
    /// <param name="param">The path of the value.</param>
    /// <param name="checkNamed">Checks the members of the object.</param>
    public static void CheckChoice(JsonElement choice, string param, FieldCheck checkNamed)
    {
        if (choice.ValueKind == JsonValueKind.String)
        {
            FieldChecks.OneOf("none", "auto", "required")(choice, param);
            return;
        }

        FieldChecks.RequireType(choice.ValueKind == JsonValueKind.Object, param, "a string or an object");
        var type = choice.Required("type", $"{param}.type");
        FieldChecks.String(type, $"{param}.type");
        if (!type.ValueEquals("function"u8))
        {
            throw new RequestRejectedException(OpenAiError.UnsupportedValue($"{param}.type", "only function is supported"));
        }

        checkNamed(choice, param);
    }

    /// <exception cref="RequestRejectedException">The request requires a tool that is not in <c>tools</c>.</exception>
    public static ToolChoice ChoiceOf(JsonElement request)
    {
        var tools = request.Member("tools");
        if (request.Member("tool_choice") is not { } choice)
        {
            return ToolChoice.Auto;
        }

        if (choice.ValueKind == JsonValueKind.Object)
        {
            var name = choice.GetProperty("function").GetProperty("name").GetString();
            FieldChecks.Require(
                tools is { } list && list.EnumerateArray().Any(tool => tool.GetProperty("function").GetProperty("name").ValueEquals(name)),
                "tool_choice.function.name", "the request has no tool with this name");
            return ToolChoice.Named;
        }

        var toolChoice = choice.ValueEquals("none"u8) ? ToolChoice.None : choice.ValueEquals("required"u8) ? ToolChoice.Required : ToolChoice.Auto;
        FieldChecks.Require(toolChoice != ToolChoice.Required || (tools is { } available && available.GetArrayLength() > 0), "tool_choice", "the request has no tools");
        return toolChoice;
    }

    /// <summary>Writes the three members. If the model server does not support <c>tool_choice</c>, the tools are omitted for <c>none</c>, and <c>required</c> or a named tool is rejected.</summary>
    public static void Write(JsonElement request, Utf8JsonWriter json, BackendProtocol backend, ToolChoice choice, CancellationToken ct)
    {
        if (request.Member("tools") is not { } tools || tools.GetArrayLength() == 0)
        {
            return;
        }

        if (backend.Supports(BackendFeatures.ToolChoice))
        {
            WriteList(tools, json, backend, ct);
            if (request.Member("tool_choice") is { } value)
            {
                json.WritePropertyName("tool_choice");
                ChatMembers.ToolChoice.Write(value, json);
            }

            if (request.Member("parallel_tool_calls") is { } parallel)
            {
                json.WriteRaw("parallel_tool_calls", parallel);
            }

            return;
        }

        if (choice is ToolChoice.Required or ToolChoice.Named)
        {
            throw new RequestRejectedException(OpenAiError.UnsupportedValue("tool_choice", "this model supports only auto and none"));
        }

        if (choice != ToolChoice.None)
        {
            WriteList(tools, json, backend, ct);
        }
    }

    public static void WriteList(JsonElement tools, Utf8JsonWriter json, BackendProtocol backend, CancellationToken ct)
    {
        json.WriteStartArray("tools");
        foreach (var tool in tools.EnumerateArray())
        {
            ct.ThrowIfCancellationRequested();
            json.WriteStartObject();
            json.WriteString("type"u8, "function"u8);
            json.WriteStartObject("function");
            foreach (var member in tool.GetProperty("function").EnumerateObject())
            {
                if (member.Value.ValueKind == JsonValueKind.Null || member.Name is not ("name" or "description" or "parameters" or "strict"))
                {
                    continue;
                }

                json.WritePropertyName(member.Name);
                if (member.Name == "parameters")
                {
                    backend.WriteToolSchema(member.Value, json);
                }
                else
                {
                    json.WriteRaw(member.Value);
                }
            }

            json.WriteEndObject();
            json.WriteEndObject();
        }

        json.WriteEndArray();
    }
}
