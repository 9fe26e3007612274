using System.Text.Json;
using System.Text.RegularExpressions;

namespace Cube.Inference.Chat;

/// <summary>The member <c>response_format</c>. An invalid schema is rejected here because it makes a model server fail.</summary>
internal static partial class ResponseFormat
{
    /// <summary>The limit of OpenAI's API for structured outputs.</summary>
    private const int MaxProperties = 5000;

    private static readonly string[] _types = ["string", "number", "integer", "boolean", "object", "array", "null"];

    public static void Check(JsonElement format, string param)
    {
        FieldChecks.Object(format, param);
        var type = format.Required("type", $"{param}.type");
        FieldChecks.String(type, $"{param}.type");
        if (type.ValueEquals("text"u8) || type.ValueEquals("json_object"u8))
        {
            return;
        }

        if (!type.ValueEquals("json_schema"u8))
        {
            throw new RequestRejectedException(OpenAiError.UnsupportedValue($"{param}.type", "it can be text, json_object or json_schema"));
        }

        var schema = format.Required("json_schema", $"{param}.json_schema");
        FieldChecks.Object(schema, $"{param}.json_schema");
        CheckNamed(schema, $"{param}.json_schema");
    }

    /// <summary>Checks an object with <c>name</c> and <c>schema</c>.</summary>
    public static void CheckNamed(JsonElement named, string param)
    {
        var name = named.Required("name", $"{param}.name");
        FieldChecks.String(name, $"{param}.name");
        FieldChecks.Require(Name().IsMatch(name.GetString() ?? ""), $"{param}.name", "it must have 1 to 64 letters, digits, '_' and '-'");
        var schema = named.Required("schema", $"{param}.schema");
        FieldChecks.Object(schema, $"{param}.schema");
        CheckSchema(schema, $"{param}.schema");
        FieldChecks.Require(CountProperties(schema) <= MaxProperties, $"{param}.schema", $"it must have at most {MaxProperties} properties");
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

    /// <summary>
    /// Checks the keywords of a schema and of all schemas in it. Names of properties are not keywords. A keyword in another letter case is rejected: JSON Schema ignores it, but Go's JSON decoder, which Ollama uses,
    /// accepts it.
    /// </summary>
    public static void CheckSchema(JsonElement schema, string param)
    {
        if (schema.ValueKind is JsonValueKind.True or JsonValueKind.False)
        {
            return;
        }

        FieldChecks.Object(schema, param);
        foreach (var member in schema.EnumerateObject())
        {
            var name = member.Name;
            FieldChecks.Require(!SchemaKeywords.IsCaseVariant(name), param, "a keyword of the schema has the wrong letter case");
            switch (SchemaKeywords.KindOf(name))
            {
                case SchemaKeyword.Value when name == "type":
                    CheckTypes(member.Value, param);
                    break;
                case SchemaKeyword.Map:
                    CheckMap(member.Value, param, $"{param}.{name}");
                    break;
                case SchemaKeyword.List:
                    CheckList(member.Value, param, $"{param}.{name}");
                    break;
                case SchemaKeyword.Schema:
                    CheckSchema(member.Value, param);
                    break;
            }
        }
    }

    public static void Write(JsonElement format, Utf8JsonWriter json, BackendProtocol backend, CancellationToken ct)
    {
        json.WriteStartObject("response_format");
        json.WriteRaw("type", format.GetProperty("type"));
        if (format.Member("type") is { } type && type.ValueEquals("json_schema"u8))
        {
            var named = format.GetProperty("json_schema");
            json.WriteStartObject("json_schema");
            foreach (var name in (string[])["name", "description", "schema", "strict"])
            {
                if (named.Member(name) is not { } value)
                {
                    continue;
                }

                json.WritePropertyName(name);
                if (name == "schema")
                {
                    backend.WriteOutputSchema(value, "response_format", json, ct);
                }
                else
                {
                    json.WriteRaw(value);
                }
            }

            json.WriteEndObject();
        }

        json.WriteEndObject();
    }

    private static void CheckMap(JsonElement map, string param, string where)
    {
        FieldChecks.Object(map, where);
        foreach (var member in map.EnumerateObject())
        {
            CheckSchema(member.Value, param);
        }
    }

    private static void CheckList(JsonElement list, string param, string where)
    {
        FieldChecks.Array(list, where);
        foreach (var item in list.EnumerateArray())
        {
            CheckSchema(item, param);
        }
    }

    private static void CheckTypes(JsonElement type, string param)
    {
        if (type.ValueKind != JsonValueKind.Array)
        {
            CheckType(type, param);
            return;
        }

        foreach (var item in type.EnumerateArray())
        {
            CheckType(item, param);
        }
    }

    private static void CheckType(JsonElement type, string param)
    {
        FieldChecks.String(type, $"{param}.type");
        FieldChecks.Require(_types.Any(type.ValueEquals), $"{param}.type", $"it must be one of {string.Join(", ", _types)}");
    }

    [GeneratedRegex(@"\A[a-zA-Z0-9_-]{1,64}\z")]
    private static partial Regex Name();
}
