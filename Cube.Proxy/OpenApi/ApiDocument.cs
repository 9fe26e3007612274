using System.Text.Json.Nodes;
using Cube.Proxy.Routing;
using Cube.ServiceDefaults.Hosting;

namespace Cube.Proxy.OpenApi;

/// <summary>
/// The document of what is below a tenant's path, out of the table of its endpoints: <c>/openapi/v1.json</c>. Bodies are OpenAI's own and
/// described in OpenAI's document.
/// </summary>
internal static class ApiDocument
{
    private const string Error = "#/components/schemas/Error";

    public static JsonObject Create()
    {
        var paths = new JsonObject();
        foreach (var path in InferenceEndpoints.All.GroupBy(static endpoint => endpoint.Path))
        {
            var isOfModel = path.Key == InferenceEndpoints.ModelPrefix;
            var item = new JsonObject { ["parameters"] = Parameters(isOfModel) };
            foreach (var endpoint in path)
            {
                item[endpoint.Method.ToLowerInvariant()] = endpoint.Kind switch
                {
                    EndpointKind.Attestation => AttestationPaths.Operation(endpoint),
                    EndpointKind.Catalogue => CataloguePaths.Operation(endpoint),
                    _ => Operation(endpoint),
                };
            }

            paths[$"/proxy/{{domainId}}{path.Key}{(isOfModel ? "{model}" : "")}"] = item;
        }

        AttestationPaths.AddPlatform(paths);
        RoutePaths.Add(paths);
        return new JsonObject
        {
            ["openapi"] = "3.1.1",
            ["info"] = new JsonObject { ["title"] = "Cube inference", ["version"] = HealthEndpoints.Version },
            ["paths"] = paths,
            ["components"] = new JsonObject
            {
                ["schemas"] = new JsonObject
                {
                    ["Error"] = JsonNode.Parse(
                        """
                        {"type":"object","required":["error"],"additionalProperties":false,"properties":{"error":{"type":"object",
                        "required":["message","type","param","code"],"additionalProperties":false,"properties":{"message":{"type":"string"},
                        "type":{"type":"string"},"param":{"type":["string","null"]},"code":{"type":["string","null"]}}}}}
                        """),
                    ["ManagementError"] = JsonNode.Parse(
                        """{"type":"object","required":["error","message"],"additionalProperties":false,"properties":{"error":{"type":"string"},"message":{"type":"string"}}}"""),
                    ["AttestationPolicy"] = JsonNode.Parse(AttestationPaths.Policy),
                    ["AttestationPolicies"] = JsonNode.Parse(AttestationPaths.Policies),
                    ["Verdict"] = JsonNode.Parse(AttestationPaths.Verdict),
                    ["Backends"] = JsonNode.Parse(AttestationPaths.Backends),
                    ["Route"] = JsonNode.Parse(RoutePaths.Kept),
                    ["RouteWritten"] = JsonNode.Parse(RoutePaths.Written),
                    ["RouteList"] = JsonNode.Parse(RoutePaths.List),
                    ["Catalogue"] = JsonNode.Parse(CataloguePaths.Kept),
                    ["CatalogueWritten"] = JsonNode.Parse(CataloguePaths.Written),
                    ["Trial"] = JsonNode.Parse(AttestationPaths.Trial),
                    ["Collateral"] = JsonNode.Parse(AttestationPaths.Collateral),
                },
                ["securitySchemes"] = new JsonObject { ["bearer"] = new JsonObject { ["type"] = "http", ["scheme"] = "bearer" } },
            },
            ["security"] = new JsonArray(new JsonObject { ["bearer"] = new JsonArray() }),
        };
    }

    private static JsonArray Parameters(bool isOfModel)
    {
        var parameters = new JsonArray(Parameter("domainId", "uuid"));
        if (isOfModel)
        {
            parameters.Add(Parameter("model", null));
        }

        return parameters;
    }

    private static JsonObject Parameter(string name, string? format)
    {
        var schema = new JsonObject { ["type"] = "string" };
        if (format is not null)
        {
            schema["format"] = format;
        }

        return new JsonObject { ["name"] = name, ["in"] = "path", ["required"] = true, ["schema"] = schema };
    }

    private static JsonObject Operation(InferenceEndpoint endpoint)
    {
        var operation = new JsonObject
        {
            ["operationId"] = endpoint.Name,
            ["description"] = endpoint.IsForAdministrators
                ? "For administrators of the platform who are members of the domain, where the attestation policy and the machine let models be changed."
                : $"Needs the action {endpoint.Action} in the domain, and the model.",
            ["responses"] = new JsonObject
            {
                ["200"] = new JsonObject
                {
                    ["description"] = "As OpenAI answers.",
                    ["content"] = new JsonObject { ["application/json"] = new JsonObject { ["schema"] = new JsonObject { ["type"] = "object" } } },
                },
                ["default"] = new JsonObject
                {
                    ["description"] = "OpenAI's error envelope.",
                    ["content"] = new JsonObject { ["application/json"] = new JsonObject { ["schema"] = new JsonObject { ["$ref"] = Error } } },
                },
            },
        };
        if (endpoint.HasModelBody)
        {
            operation["requestBody"] = new JsonObject
            {
                ["required"] = true,
                ["content"] = new JsonObject
                {
                    [endpoint.Kind == EndpointKind.Audio ? "multipart/form-data" : "application/json"] = new JsonObject
                    {
                        ["schema"] = new JsonObject
                        {
                            ["type"] = "object",
                            ["required"] = endpoint.Kind == EndpointKind.Weights ? new JsonArray() : new JsonArray("model"),
                            ["properties"] = new JsonObject { ["model"] = new JsonObject { ["type"] = "string" } },
                        },
                    },
                },
            };
        }

        return operation;
    }
}
