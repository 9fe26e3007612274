using System.Text.Json;
using System.Text.RegularExpressions;
using Cube.ServiceDefaults.Errors;

namespace Cube.Proxy.OpenAi.Requests;

/// <summary>What form an answer must have. A schema that is none makes a model server fail; it is refused here.</summary>
internal static partial class ResponseFormat
{
    /// <summary>OpenAI's own limit.</summary>
    private const int Most = 5000;

    private static readonly string[] _types = ["string", "number", "integer", "boolean", "object", "array", "null"];
    private static readonly string[] _maps = ["properties", "$defs", "definitions", "patternProperties", "dependentSchemas"];
    private static readonly string[] _lists = ["anyOf", "allOf", "oneOf", "prefixItems"];
    private static readonly string[] _schemas = ["items", "additionalProperties", "not", "contains", "if", "then", "else", "propertyNames"];

    public static void Check(JsonElement format, string param)
    {
        Checks.Object(format, param);
        var type = format.Required("type", $"{param}.type");
        Checks.Text(type, $"{param}.type");
        if (type.ValueEquals("text"u8) || type.ValueEquals("json_object"u8))
        {
            return;
        }

        if (!type.ValueEquals("json_schema"u8))
        {
            throw new RefusedException(OpenAiError.UnsupportedValue($"{param}.type", "it can be text, json_object or json_schema"));
        }

        var schema = format.Required("json_schema", $"{param}.json_schema");
        Checks.Object(schema, $"{param}.json_schema");
        CheckNamed(schema, $"{param}.json_schema");
    }

    /// <summary>A schema with its name.</summary>
    public static void CheckNamed(JsonElement named, string param)
    {
        var name = named.Required("name", $"{param}.name");
        Checks.Text(name, $"{param}.name");
        Checks.Value(Name().IsMatch(name.GetString()!), $"{param}.name", "it has 1 to 64 letters, digits, '_' and '-'");
        var schema = named.Required("schema", $"{param}.schema");
        Checks.Object(schema, $"{param}.schema");
        CheckSchema(schema, $"{param}.schema");
        Checks.Value(CountProperties(schema) <= Most, $"{param}.schema", $"it has at most {Most} properties");
    }

    private static int CountProperties(JsonElement json)
    {
        var count = 0;
        if (json.ValueKind == JsonValueKind.Object)
        {
            foreach (var member in json.EnumerateObject())
            {
                count += CountProperties(member.Value) + (member.NameEquals("properties"u8) && member.Value.ValueKind == JsonValueKind.Object ? member.Value.GetPropertyCount() : 0);
            }
        }
        else if (json.ValueKind == JsonValueKind.Array)
        {
            foreach (var item in json.EnumerateArray())
            {
                count += CountProperties(item);
            }
        }

        return count;
    }

    /// <summary>Only where a schema stands: a property may well be called <c>type</c>.</summary>
    public static void CheckSchema(JsonElement schema, string param)
    {
        if (schema.ValueKind is JsonValueKind.True or JsonValueKind.False)
        {
            return;
        }

        Checks.Object(schema, param);
        if (schema.TryGetProperty("type", out var type))
        {
            if (type.ValueKind == JsonValueKind.Array)
            {
                foreach (var one in type.EnumerateArray())
                {
                    CheckType(one, param);
                }
            }
            else
            {
                CheckType(type, param);
            }
        }

        foreach (var name in _maps)
        {
            if (schema.TryGetProperty(name, out var map))
            {
                Checks.Object(map, $"{param}.{name}");
                foreach (var member in map.EnumerateObject())
                {
                    CheckSchema(member.Value, param);
                }
            }
        }

        foreach (var name in _lists)
        {
            if (schema.TryGetProperty(name, out var list))
            {
                Checks.Array(list, $"{param}.{name}");
                foreach (var item in list.EnumerateArray())
                {
                    CheckSchema(item, param);
                }
            }
        }

        foreach (var name in _schemas)
        {
            if (schema.TryGetProperty(name, out var inner))
            {
                CheckSchema(inner, param);
            }
        }
    }

    private static void CheckType(JsonElement type, string param)
    {
        Checks.Text(type, $"{param}.type");
        Checks.Value(_types.Any(type.ValueEquals), $"{param}.type", $"it must be one of {string.Join(", ", _types)}");
    }

    [GeneratedRegex(@"\A[a-zA-Z0-9_-]{1,64}\z")]
    private static partial Regex Name();
}
