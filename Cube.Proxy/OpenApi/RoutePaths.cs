using System.Text.Json.Nodes;
using Cube.Proxy.Routing.Api;

namespace Cube.Proxy.OpenApi;

/// <summary>The routes API in the document. It is described once; the other two addresses of it are the same.</summary>
internal static class RoutePaths
{
    private const string Properties =
        """
        "name":{"type":"string","pattern":"^[a-zA-Z0-9_-]{1,255}$"},"target_url":{"type":"string","format":"uri","description":"https; a host of the configuration stands for all its addresses"},
        "matchers":{"type":"array","maxItems":32,"items":{"type":"object","required":["condition","pattern"],"additionalProperties":false,"properties":{
        "condition":{"enum":["path","method","header","query_param","body_field","body_regex"]},"field":{"type":"string"},"pattern":{"type":"string","minLength":1,"maxLength":1024},"is_regex":{"type":"boolean"}}}},
        "priority":{"type":"integer","minimum":0,"maximum":1000},"default_rule":{"type":"boolean"},"strip_prefix":{"type":"string"},"enabled":{"type":"boolean"},
        "event_type":{"enum":["llm_request","guardrails_request","attestation_request","audit_event","embedder_request"]},"atls":{"const":true},
        "policy":{"type":["object","null"],"description":"what its machines must prove besides; absent in an update: as it was; null: nothing besides"}
        """;

    public const string Written = """{"type":"object","required":["target_url"],"additionalProperties":false,"properties":{""" + Properties + "}}";

    public const string Kept =
        """
        {"type":"object","required":["id","name","target_url","matchers","priority","default_rule","strip_prefix","enabled","event_type","atls","created_at","created_by","updated_at","updated_by"],
        "additionalProperties":false,"properties":{"id":{"type":"string","format":"uuid"},"policy_version":{"type":"integer","minimum":1},
        "created_at":{"type":"string","format":"date-time"},"created_by":{"type":"string"},"updated_at":{"type":"string","format":"date-time"},"updated_by":{"type":"string"},
        "problem":{"type":"string","description":"why the stored route cannot be loaded: the requests that it is for are refused until it is replaced or removed"},
        """ + Properties + "}}";

    public const string List =
        """
        {"type":"object","required":["total","offset","limit","routes"],"additionalProperties":false,"properties":{"total":{"type":"integer"},"offset":{"type":"integer"},"limit":{"type":"integer"},
        "routes":{"type":"array","items":{"$ref":"#/components/schemas/Route"}}}}
        """;

    public static JsonObject NameParameter() => Parameter("name", "path", true, "string");

    public static void Add(JsonObject paths)
    {
        var root = RouteApi.Bases[0];
        var list = Operation("routes.list", "Routes in the order in which they are asked.", 200, "RouteList", hasBody: false);
        list["parameters"] = new JsonArray(Parameter("offset", "query", false, "integer"), Parameter("limit", "query", false, "integer"));
        paths[root] = new JsonObject { ["get"] = list, ["post"] = Operation("routes.create", "A route, and the policy that comes with it; in force when it is answered.", 201, "Route", hasBody: true) };
        paths[$"{root}/{{name}}"] = new JsonObject
        {
            ["parameters"] = new JsonArray(NameParameter()),
            ["get"] = Operation("routes.get", "One route.", 200, "Route", hasBody: false),
            ["put"] = Operation("routes.update", "Takes the place of the route; it may bring another name.", 200, "Route", hasBody: true),
            ["delete"] = Operation("routes.delete", "Takes the route away.", 200, null, hasBody: false),
        };
        AttestationPaths.AddRoute(paths, $"{root}/{{name}}");
    }

    private static JsonObject Operation(string name, string says, int status, string? schema, bool hasBody)
    {
        var operation = new JsonObject
        {
            ["operationId"] = name,
            ["description"] = $"{says} For administrators of the platform. Served at {string.Join(", ", RouteApi.Bases)} alike.",
            ["responses"] = new JsonObject
            {
                [$"{status}"] = new JsonObject { ["description"] = says, ["content"] = Json(schema is null ? new JsonObject { ["type"] = "object" } : Reference(schema)) },
                ["default"] = new JsonObject { ["description"] = "An error.", ["content"] = Json(Reference("ManagementError")) },
            },
        };
        if (hasBody)
        {
            operation["requestBody"] = new JsonObject { ["required"] = true, ["content"] = Json(Reference("RouteWritten")) };
        }

        return operation;
    }

    private static JsonObject Json(JsonObject schema) => new() { ["application/json"] = new JsonObject { ["schema"] = schema } };

    private static JsonObject Reference(string schema) => new() { ["$ref"] = $"#/components/schemas/{schema}" };

    private static JsonObject Parameter(string name, string where, bool isRequired, string type) =>
        new() { ["name"] = name, ["in"] = where, ["required"] = isRequired, ["schema"] = new JsonObject { ["type"] = type } };
}
