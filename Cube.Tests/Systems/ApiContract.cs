using System.Collections.Concurrent;
using System.Text.Json;
using System.Text.Json.Nodes;
using Json.Schema;

namespace Cube.Tests.Systems;

/// <summary>Checks every response against the OpenAPI documents of the services.</summary>
internal sealed class ApiContract
{
    private readonly Dictionary<(string Method, string Template), JsonObject> _operations = [];
    private readonly JsonObject _schemas;
    private readonly ConcurrentDictionary<string, JsonSchema> _parsed = [];

    public ApiContract(JsonObject document)
    {
        // References are relative to the schema that is parsed: components become its definitions.
        var text = document.ToJsonString().Replace("#/components/schemas/", "#/$defs/", StringComparison.Ordinal);
        var relative = JsonNode.Parse(text)!.AsObject();
        _schemas = relative["components"]?["schemas"]?.AsObject() ?? [];
        foreach (var (path, item) in relative["paths"]!.AsObject())
        {
            foreach (var (method, operation) in item!.AsObject().Where(static member => member.Key != "parameters"))
            {
                _operations[(method.ToUpperInvariant(), path)] = operation!.AsObject();
            }
        }
    }

    public void Check(string method, string path, int status, JsonElement body)
    {
        var segments = path.Split('?')[0].Split('/', StringSplitOptions.RemoveEmptyEntries);
        var found = _operations.Keys.Where(operation => operation.Method == method && Matches(operation.Template, segments))
            // A literal segment has precedence over a parameter.
            .OrderBy(static operation => operation.Template.Count(static character => character == '{')).FirstOrDefault();
        // The operation belongs to the other document, or the path does not exist.
        if (found == default)
        {
            return;
        }

        var responses = _operations[found]["responses"]!.AsObject();
        var name = responses.ContainsKey($"{status}") ? $"{status}" : "default";
        Assert.True(name != "default" || status >= 400, $"{method} {path} returned {status}, which its OpenAPI document does not list.");
        if (responses[name]?["content"]?["application/json"]?["schema"] is not JsonObject schema)
        {
            Assert.True(body.ValueKind == JsonValueKind.Undefined, $"{method} {path} returned {status} with a body, which its OpenAPI document does not describe.");
            return;
        }

        var key = $"{found.Method} {found.Template} {name}";
        var parsed = _parsed.GetOrAdd(key, _ =>
        {
            var whole = JsonNode.Parse(schema.ToJsonString())!.AsObject();
            whole["$defs"] = JsonNode.Parse(_schemas.ToJsonString());
            return JsonSchema.FromText(whole.ToJsonString());
        });
        var result = parsed.Evaluate(JsonNode.Parse(body.GetRawText()), new EvaluationOptions { OutputFormat = OutputFormat.List });
        Assert.True(result.IsValid, $"{method} {path} returned {status} with a body that does not match the OpenAPI document: {string.Join(" ", result.Details.Where(static detail => detail.HasErrors).SelectMany(static detail => detail.Errors!.Select(error => $"{detail.InstanceLocation}: {error.Value}")))}");
    }

    private static bool Matches(string template, string[] segments)
    {
        var parts = template.Split('/', StringSplitOptions.RemoveEmptyEntries);
        return parts.Length == segments.Length && parts.Zip(segments).All(static pair => pair.First[0] == '{' || pair.First == pair.Second);
    }
}
