using System.Text.Json;
using Cube.ServiceDefaults.Errors;

namespace Cube.Proxy.OpenAi.Requests;

/// <summary>How the model is to use its tools.</summary>
internal enum ToolChoice
{
    Auto,
    None,
    Required,

    /// <summary>One tool by its name. OpenAI ends such an answer with <c>stop</c>, not with <c>tool_calls</c>.</summary>
    Named,
}

internal static class Tools
{
    public const int Most = 128;

    public static void Check(JsonElement tools, string param) => CheckEach(tools, param, static (tool, where) =>
    {
        var function = tool.Required("function", $"{where}.function");
        Checks.Object(function, $"{where}.function");
        CheckFunction(function, $"{where}.function");
    });

    /// <param name="tools">The list.</param>
    /// <param name="param">Its name.</param>
    /// <param name="function">Looks at a tool that says it is a function.</param>
    public static void CheckEach(JsonElement tools, string param, Check function)
    {
        Checks.Array(tools, param);
        Checks.Value(tools.GetArrayLength() <= Most, param, $"there can be {Most} tools");
        var i = 0;
        foreach (var tool in tools.EnumerateArray())
        {
            var where = $"{param}[{i++}]";
            Checks.Object(tool, where);
            var type = tool.Required("type", $"{where}.type");
            Checks.Text(type, $"{where}.type");
            if (!type.ValueEquals("function"u8))
            {
                throw new RefusedException(OpenAiError.UnsupportedValue($"{where}.type", "tools are functions"));
            }

            function(tool, where);
        }
    }

    public static void CheckFunction(JsonElement function, string param)
    {
        var name = function.Required("name", $"{param}.name");
        Checks.Text(name, $"{param}.name");
        Checks.Value(name.GetString() is { Length: >= 1 and <= 64 }, $"{param}.name", "it has 1 to 64 characters");
        if (function.Member("description") is { } description)
        {
            Checks.Text(description, $"{param}.description");
        }

        if (function.Member("strict") is { } strict)
        {
            Checks.Boolean(strict, $"{param}.strict");
        }

        if (function.Member("parameters") is { } parameters)
        {
            Checks.Object(parameters, $"{param}.parameters");
            ResponseFormat.CheckSchema(parameters, $"{param}.parameters");
        }
    }

    public static void CheckChoice(JsonElement choice, string param) => CheckChoice(choice, param, static (named, where) =>
    {
        var function = named.Required("function", $"{where}.function");
        Checks.Object(function, $"{where}.function");
        Checks.Text(function.Required("name", $"{where}.function.name"), $"{where}.function.name");
    });

    /// <param name="choice">A word, or an object that names a function.</param>
    /// <param name="param">Its name.</param>
    /// <param name="named">Looks at the object.</param>
    public static void CheckChoice(JsonElement choice, string param, Check named)
    {
        if (choice.ValueKind == JsonValueKind.String)
        {
            Checks.OneOf("none", "auto", "required")(choice, param);
            return;
        }

        Checks.Type(choice.ValueKind == JsonValueKind.Object, param, "a string or an object");
        var type = choice.Required("type", $"{param}.type");
        Checks.Text(type, $"{param}.type");
        if (!type.ValueEquals("function"u8))
        {
            throw new RefusedException(OpenAiError.UnsupportedValue($"{param}.type", "only function is known"));
        }

        named(choice, param);
    }

    /// <exception cref="RefusedException">It chooses a tool that is not offered.</exception>
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
            Checks.Value(
                tools is { } offered && offered.EnumerateArray().Any(tool => tool.GetProperty("function").GetProperty("name").ValueEquals(name)),
                "tool_choice.function.name", "no such tool is offered");
            return ToolChoice.Named;
        }

        var wanted = choice.ValueEquals("none"u8) ? ToolChoice.None : choice.ValueEquals("required"u8) ? ToolChoice.Required : ToolChoice.Auto;
        Checks.Value(wanted != ToolChoice.Required || tools is { } some && some.GetArrayLength() > 0, "tool_choice", "no tool is offered");
        return wanted;
    }

    /// <summary>Ollama has no choice but the model's own.</summary>
    public static void Write(JsonElement request, Utf8JsonWriter json, BackendKind kind, ToolChoice choice, CancellationToken ct)
    {
        if (request.Member("tools") is not { } tools || tools.GetArrayLength() == 0)
        {
            return;
        }

        if (kind == BackendKind.Vllm)
        {
            WriteList(tools, json, kind, ct);
            if (request.Member("tool_choice") is { } wanted)
            {
                json.WritePropertyName("tool_choice");
                KnownMembers.ToolChoice.Write(wanted, json);
            }

            if (request.Member("parallel_tool_calls") is { } parallel)
            {
                json.WriteRaw("parallel_tool_calls", parallel);
            }

            return;
        }

        if (choice is ToolChoice.Required or ToolChoice.Named)
        {
            throw new RefusedException(OpenAiError.UnsupportedValue("tool_choice", "this model can only be offered tools"));
        }

        if (choice != ToolChoice.None)
        {
            WriteList(tools, json, kind, ct);
        }
    }

    public static void WriteList(JsonElement tools, Utf8JsonWriter json, BackendKind kind, CancellationToken ct)
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
                if (member.Name == "parameters" && kind == BackendKind.Ollama)
                {
                    OllamaSchemaWriter.Write(member.Value, json);
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
