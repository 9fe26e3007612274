using System.Text.Json.Nodes;

namespace Cube.Tests.Functional.Fuzz;

/// <summary>One method and path template of an OpenAPI document.</summary>
/// <param name="Method">In upper case.</param>
/// <param name="Template">With parameters in braces, as <c>/domains/{id}/roles</c>.</param>
/// <param name="Body">The schema of the JSON body; null for operations without a body or with a form.</param>
/// <param name="Query">The names of its query parameters.</param>
/// <param name="IsForm">The body is <c>multipart/form-data</c>.</param>
internal sealed record FuzzOperation(string Method, string Template, JsonObject? Body, string[] Query, bool IsForm)
{
    private static readonly string[] _methods = ["get", "put", "post", "delete", "patch"];

    /// <summary>All operations of a document. Schema references are resolved up to the depth of generated bodies.</summary>
    public static IEnumerable<FuzzOperation> Of(JsonObject document)
    {
        var schemas = document["components"]?["schemas"]?.AsObject() ?? [];
        foreach (var (template, item) in document["paths"]?.AsObject() ?? [])
        {
            foreach (var (method, described) in item?.AsObject() ?? [])
            {
                if (!_methods.Contains(method) || described is not JsonObject operation)
                {
                    continue;
                }

                var content = operation["requestBody"]?["content"]?.AsObject();
                var query = (operation["parameters"]?.AsArray() ?? []).Where(static parameter => (string?)parameter?["in"] == "query").Select(static parameter => (string?)parameter?["name"] ?? "");
                yield return new FuzzOperation(
                    method.ToUpperInvariant(), template, Resolve(content?["application/json"]?["schema"], schemas, 0), [.. query],
                    content?.ContainsKey("multipart/form-data") ?? false);
            }
        }
    }

    private static JsonObject? Resolve(JsonNode? schema, JsonObject schemas, int depth)
    {
        if (schema is not JsonObject given || depth > 6)
        {
            return null;
        }

        if ((string?)given["$ref"] is { } reference)
        {
            return Resolve(schemas[reference.Split('/')[^1]], schemas, depth + 1);
        }

        var resolved = given.DeepClone().AsObject();
        foreach (var (name, property) in given["properties"]?.AsObject() ?? [])
        {
            resolved["properties"]?.AsObject()[name] = Resolve(property, schemas, depth + 1) ?? new JsonObject();
        }

        if (given["items"] is { } items)
        {
            resolved["items"] = Resolve(items, schemas, depth + 1) ?? new JsonObject();
        }

        return resolved;
    }
}
