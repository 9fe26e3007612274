using System.Collections.Concurrent;
using System.Text.Json;
using System.Text.Json.Nodes;
using Json.Schema;

namespace Cube.Tests.Systems;

/// <summary>The response schemas of the OpenAI OpenAPI description.</summary>
internal static class OpenAiSchema
{
    private static readonly ConcurrentDictionary<string, JsonSchema> _parsed = [];

    private static readonly Lazy<JsonObject?> _schemas = new(static () =>
    {
        var file = Path.Combine(TestFiles.Folder("CUBE_TEST_OPENAI", "openai"), "openapi.json");
        if (!File.Exists(file))
        {
            return null;
        }

        var text = File.ReadAllText(file).Replace("#/components/schemas/", "#/$defs/", StringComparison.Ordinal);
        return JsonNode.Parse(text)!["components"]!["schemas"]!.AsObject();
    });

    /// <summary>Whether the description exists; without it, responses are not checked.</summary>
    public static bool IsAvailable => _schemas.Value is not null;

    /// <param name="name">The name of a schema, for example <c>CreateChatCompletionResponse</c>.</param>
    /// <param name="json">The value to check.</param>
    public static void Check(string name, JsonElement json)
    {
        if (!IsAvailable)
        {
            return;
        }

        var schema = _parsed.GetOrAdd(name, static name => JsonSchema.FromText(Only(name).ToJsonString()));
        var result = schema.Evaluate(JsonNode.Parse(json.GetRawText()), new EvaluationOptions { OutputFormat = OutputFormat.List });
        Assert.True(result.IsValid,
            $"{name}: {string.Join(" ", result.Details.Where(static detail => detail.HasErrors).SelectMany(static detail => detail.Errors!.Select(error => $"{detail.InstanceLocation}: {error.Value}")).Take(8))} in {json.GetRawText()[..Math.Min(800, json.GetRawText().Length)]}");
    }

    /// <summary>The schema and the schemas that it references; the document has more than a thousand.</summary>
    private static JsonObject Only(string name)
    {
        var (needed, open) = (new JsonObject(), new Stack<string>([name]));
        while (open.TryPop(out var next))
        {
            if (needed.ContainsKey(next))
            {
                continue;
            }

            var schema = Nullable(_schemas.Value![next]!.DeepClone());
            needed[next] = schema;
            foreach (System.Text.RegularExpressions.Match match in System.Text.RegularExpressions.Regex.Matches(schema.ToJsonString(), "\"#/\\$defs/([^\"]+)\""))
            {
                open.Push(match.Groups[1].Value);
            }
        }

        return new JsonObject { ["$ref"] = $"#/$defs/{name}", ["$defs"] = needed };
    }

    /// <summary>Replaces <c>nullable</c> of OpenAPI 3.0, which the document still uses, with its JSON Schema equivalent.</summary>
    private static JsonNode Nullable(JsonNode node)
    {
        switch (node)
        {
            case JsonArray array:
                for (var i = 0; i < array.Count; i++)
                {
                    if (array[i] is { } item)
                    {
                        array[i] = Nullable(item.DeepClone());
                    }
                }

                return array;
            case JsonObject json:
                foreach (var member in json.ToList())
                {
                    if (member.Value is JsonObject or JsonArray)
                    {
                        json[member.Key] = Nullable(member.Value.DeepClone());
                    }
                }

                if (json["nullable"] is JsonValue value && value.GetValueKind() == JsonValueKind.True)
                {
                    json.Remove("nullable");
                    return new JsonObject { ["anyOf"] = new JsonArray(json.DeepClone(), new JsonObject { ["type"] = "null" }) };
                }

                return json;
            default:
                return node;
        }
    }
}
