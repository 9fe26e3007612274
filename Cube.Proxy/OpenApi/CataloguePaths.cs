using System.Text.Json.Nodes;
using Cube.Proxy.Routing;

namespace Cube.Proxy.OpenApi;

/// <summary>A domain's own catalogue of models in the document.</summary>
internal static class CataloguePaths
{
    public const string Kept =
        """
        {"type":"object","required":["models","updated_at","updated_by"],"additionalProperties":false,"properties":{"models":{"type":"array","items":{"type":"object",
        "required":["id","model"],"additionalProperties":false,"properties":{"id":{"type":"string","description":"What members call it"},"model":{"type":"string","description":"What the model server calls it"}}}},
        "updated_at":{"type":"string","format":"date-time"},"updated_by":{"type":"string"}}}
        """;

    public const string Written =
        """
        {"type":"object","required":["models"],"additionalProperties":false,"properties":{"models":{"type":"array","maxItems":512,"items":{"type":"object",
        "required":["id"],"additionalProperties":false,"properties":{"id":{"type":"string","minLength":1,"maxLength":256},"model":{"type":"string","minLength":1,"maxLength":256,"description":"id where it is left out"}}}}}}
        """;

    private static readonly Dictionary<string, (int Status, string? Schema, string Says)> _answers = new()
    {
        ["catalogue.get"] = (200, "Catalogue", "The models that the domain offers, under its own names; 404 where it offers all that its machines have."),
        ["catalogue.put"] = (200, "Catalogue", "Replaces it. Members see and use these models and no others from now on."),
        ["catalogue.delete"] = (204, null, "The domain offers again all that its machines have."),
    };

    public static JsonObject Operation(InferenceEndpoint endpoint)
    {
        var (status, schema, says) = _answers[endpoint.Name];
        var answer = new JsonObject { ["description"] = says };
        if (schema is not null)
        {
            answer["content"] = Json(schema);
        }

        var operation = new JsonObject
        {
            ["operationId"] = endpoint.Name,
            ["description"] = $"{says} Needs the action {endpoint.Action} in the domain.",
            ["responses"] = new JsonObject
            {
                [$"{status}"] = answer,
                ["default"] = new JsonObject { ["description"] = "OpenAI's error envelope.", ["content"] = Json("Error") },
            },
        };
        if (endpoint.HasBody)
        {
            operation["requestBody"] = new JsonObject { ["required"] = true, ["content"] = Json("CatalogueWritten") };
        }

        return operation;
    }

    private static JsonObject Json(string schema) => new()
    {
        ["application/json"] = new JsonObject { ["schema"] = new JsonObject { ["$ref"] = $"#/components/schemas/{schema}" } },
    };
}
