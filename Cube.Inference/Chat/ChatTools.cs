using System.Text.Json;

namespace Cube.Inference.Chat;

internal static class ChatTools
{
    public const int Most = 128;

    public static void Check(JsonElement tools, string param) => CheckEach(tools, param, static (tool, where) =>
    {
        var function = tool.Required("function", $"{where}.function");
        FieldChecks.Object(function, $"{where}.function");
        CheckFunction(function, $"{where}.function");
    });

    /// <param name="tools">The list.</param>
    /// <param name="param">Its name.</param>
    /// <param name="function">Looks at a tool that says it is a function.</param>
    public static void CheckEach(JsonElement tools, string param, FieldCheck function)
    {
        FieldChecks.Array(tools, param);
        FieldChecks.Value(tools.GetArrayLength() <= Most, param, $"there can be {Most} tools");
        var i = 0;
        foreach (var tool in tools.EnumerateArray())
        {
            var where = $"{param}[{i++}]";
            FieldChecks.Object(tool, where);
            var type = tool.Required("type", $"{where}.type");
            FieldChecks.Text(type, $"{where}.type");
            if (!type.ValueEquals("function"u8))
            {
                throw new RequestRejectedException(OpenAiError.UnsupportedValue($"{where}.type", "tools are functions"));
            }

            function(tool, where);
        }
    }

    public static void CheckFunction(JsonElement function, string param)
    {
        var name = function.Required("name", $"{param}.name");
        FieldChecks.Text(name, $"{param}.name");
        FieldChecks.Value(name.GetString() is { Length: >= 1 and <= 64 }, $"{param}.name", "it has 1 to 64 characters");
        if (function.Member("description") is { } description)
        {
            FieldChecks.Text(description, $"{param}.description");
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
        FieldChecks.Text(function.Required("name", $"{where}.function.name"), $"{where}.function.name");
    });

    /// <param name="choice">A word, or an object that names a function.</param>
    /// <param name="param">Its name.</param>
    /// <param name="named">Looks at the object.</param>
    public static void CheckChoice(JsonElement choice, string param, FieldCheck named)
    {
        if (choice.ValueKind == JsonValueKind.String)
        {
            FieldChecks.OneOf("none", "auto", "required")(choice, param);
            return;
        }

        FieldChecks.Type(choice.ValueKind == JsonValueKind.Object, param, "a string or an object");
        var type = choice.Required("type", $"{param}.type");
        FieldChecks.Text(type, $"{param}.type");
        if (!type.ValueEquals("function"u8))
        {
            throw new RequestRejectedException(OpenAiError.UnsupportedValue($"{param}.type", "only function is known"));
        }

        named(choice, param);
    }

    /// <exception cref="RequestRejectedException">It chooses a tool that is not offered.</exception>
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
            FieldChecks.Value(
                tools is { } offered && offered.EnumerateArray().Any(tool => tool.GetProperty("function").GetProperty("name").ValueEquals(name)),
                "tool_choice.function.name", "no such tool is offered");
            return ToolChoice.Named;
        }

        var wanted = choice.ValueEquals("none"u8) ? ToolChoice.None : choice.ValueEquals("required"u8) ? ToolChoice.Required : ToolChoice.Auto;
        FieldChecks.Value(wanted != ToolChoice.Required || tools is { } some && some.GetArrayLength() > 0, "tool_choice", "no tool is offered");
        return wanted;
    }

    /// <summary>Where the model server has no <c>tool_choice</c>, "none" leaves the tools out, and a forced choice is rejected.</summary>
    public static void Write(JsonElement request, Utf8JsonWriter json, BackendProtocol backend, ToolChoice choice, CancellationToken ct)
    {
        if (request.Member("tools") is not { } tools || tools.GetArrayLength() == 0)
        {
            return;
        }

        if (backend.Supports(BackendFeatures.ToolChoice))
        {
            WriteList(tools, json, backend, ct);
            if (request.Member("tool_choice") is { } wanted)
            {
                json.WritePropertyName("tool_choice");
                ChatMembers.ToolChoice.Write(wanted, json);
            }

            if (request.Member("parallel_tool_calls") is { } parallel)
            {
                json.WriteRaw("parallel_tool_calls", parallel);
            }

            return;
        }

        if (choice is ToolChoice.Required or ToolChoice.Named)
        {
            throw new RequestRejectedException(OpenAiError.UnsupportedValue("tool_choice", "this model can only be offered tools"));
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
