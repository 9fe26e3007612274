using System.Text.Json.Nodes;
using Cube.Proxy.Routing;

namespace Cube.Proxy.OpenApi;

/// <summary>The attestation paths in the document, below a tenant and of the platform.</summary>
internal static class AttestationPaths
{
    public const string Policy =
        """
        {"type":"object","required":["scope","version","state","created_at","created_by"],"additionalProperties":false,"properties":{
        "scope":{"type":"string","description":"platform, a domain's id, or route: and a route's id"},"version":{"type":"integer","minimum":1},"state":{"enum":["staged","active","retired"]},
        "policy":{"type":"object","description":"absent where what is stored is no JSON object"},"problem":{"type":"string","description":"why the stored policy cannot be loaded: what it is for is closed until it is replaced or removed"},"created_at":{"type":"string","format":"date-time"},"created_by":{"type":"string"},
        "activated_at":{"type":"string","format":"date-time"},"activated_by":{"type":"string"}}}
        """;

    public const string Policies =
        """
        {"type":"object","required":["total","versions"],"additionalProperties":false,"properties":{"total":{"type":"integer"},
        "versions":{"type":"array","items":{"$ref":"#/components/schemas/AttestationPolicy"}}}}
        """;

    public const string Verdict =
        """
        {"type":"object","required":["outcome","type","evaluated_at","expires_at","evidence_sha256","findings","binding"],"properties":{
        "outcome":{"enum":["valid","invalid","simulated","indeterminate"]},"code":{"type":"string"},"detail":{"type":"string"},"type":{"type":"string"},
        "product":{"type":"string"},"measurement":{"type":"string"},"tcb":{"type":"string"},"tcb_status":{"type":"string"},
        "advisories":{"type":"array","items":{"type":"string"}},"chip_id_sha256":{"type":"string"},
        "binding":{"enum":["none","certificate","lease-key","connection"]},"channel_binding":{"type":"string"},"nonce":{"type":"string"},"binder":{"type":"string"},
        "evaluated_at":{"type":"string","format":"date-time"},"expires_at":{"type":"string","format":"date-time"},
        "policy_id":{"type":"string"},"policy_version":{"type":"integer"},"evidence_sha256":{"type":"string"},
        "findings":{"type":"array","items":{"type":"object","required":["field","expected","found","ok","policy"],"properties":{
        "field":{"type":"string"},"expected":{"type":"string"},"found":{"type":"string"},"ok":{"type":"boolean"},"policy":{"type":"string"}}}}}}
        """;

    public const string Backends =
        """
        {"type":"object","required":["backends"],"additionalProperties":false,"properties":{"backends":{"type":"array","items":{"type":"object",
        "required":["backend","scope","state","takes_requests"],"additionalProperties":false,"properties":{"backend":{"type":"string"},"scope":{"type":"string"},
        "state":{"enum":["attested","refused","unreachable"]},"takes_requests":{"type":"boolean"},"verdict":{"$ref":"#/components/schemas/Verdict"}}}},
        "unreadable":{"type":"array","description":"Stored rows that cannot be loaded; for administrators of the platform, where no domain is named.","items":{"type":"object",
        "required":["kind","name","problem"],"additionalProperties":false,"properties":{"kind":{"enum":["policy","route","catalogue"]},"name":{"type":"string"},"problem":{"type":"string"}}}}}}
        """;

    public const string Trial =
        """
        {"type":"object","required":["would_refuse","backends"],"additionalProperties":false,"properties":{"would_refuse":{"type":"integer"},
        "backends":{"type":"array","items":{"type":"object","required":["backend","scope","would_be_refused","verdict"],"additionalProperties":false,"properties":{
        "backend":{"type":"string"},"scope":{"type":"string"},"would_be_refused":{"type":"boolean"},"verdict":{"$ref":"#/components/schemas/Verdict"}}}}}}
        """;

    public const string Collateral =
        """
        {"type":"object","required":["collateral"],"additionalProperties":false,"properties":{"collateral":{"type":"array","maxItems":1000,"items":{"type":"object",
        "required":["name","content"],"additionalProperties":false,"properties":{"name":{"type":"string",
        "description":"amd-crl/{vcek|vlek}/{product}, amd-vcek and its path at AMD's service, or intel/{fmspc}/{platform|processor}"},
        "content":{"type":"string","format":"byte","description":"The list or certificate (DER), or Intel's collateral as one JSON object."},
        "fetched_at":{"type":"string","format":"date-time"},"next_update":{"type":"string","format":"date-time"}}}}}}
        """;

    /// <summary>Which schema, by the end of a path's name.</summary>
    private static readonly Dictionary<string, (int Status, string? Schema, string Says)> _answers = new()
    {
        ["attestation"] = (200, null, "Evidence, as JSON or as the hardware's own bytes. Its REPORT_DATA is a labelled hash of what was asked."),
        ["attestation.verify"] = (200, "Backends", "What each machine proved, and what the policies said to it, field by field."),
        ["attestation.policy.get"] = (200, "AttestationPolicy", "The policy in force; with version, that one."),
        ["attestation.policy.versions"] = (200, "AttestationPolicies", "All versions, the newest first."),
        ["attestation.policy.dry-run"] = (200, "Trial", "Which machines a policy, or a version, would refuse, by the evidence held now."),
        ["attestation.policy.stage"] = (201, "AttestationPolicy", "Writes a version; it is not in force. The original's files are translated."),
        ["attestation.policy.activate"] = (200, "AttestationPolicy", "Puts a version in force: a newer one, or one that was in force before."),
        ["attestation.collateral.get"] = (200, "Collateral", "The vendors' signed documents that count now: a file that another Cube takes."),
        ["attestation.collateral.import"] = (200, "Collateral", "Takes vendors' documents, all or none, as if the vendors had sent them; answers with all that count now."),
        ["attestation.evidence"] = (200, null, "Evidence that was judged, by the SHA-256 that its verdict names, as cube-attest reads it."),
        ["attestation.policy.delete"] = (204, null, "It goes back to the platform's policy."),
    };

    public static JsonObject Operation(InferenceEndpoint endpoint) => Operation(endpoint.Name, $"Needs the action {endpoint.Action} in the domain.", "Error", endpoint.Method == HttpMethods.Post);

    public static void AddPlatform(JsonObject paths)
    {
        foreach (var path in InferenceEndpoints.All.Where(static endpoint => endpoint is { Kind: EndpointKind.Attestation } && endpoint.Name is not ("attestation" or "attestation.policy.delete")).GroupBy(static endpoint => endpoint.Path))
        {
            var item = new JsonObject();
            foreach (var endpoint in path)
            {
                item[endpoint.Method.ToLowerInvariant()] = Operation(endpoint.Name, "For administrators of the platform.", "ManagementError", endpoint.Method == HttpMethods.Post);
            }

            paths[path.Key] = item;
        }

        paths["/attestation/evidence"] = new JsonObject { ["get"] = Operation("attestation.evidence", "For administrators of the platform.", "ManagementError", hasBody: false) };
        var import = Operation("attestation.collateral.import", "For administrators of the platform.", "ManagementError", hasBody: true);
        import["requestBody"]!["content"]!["application/json"] = Schema(null, "Collateral");
        paths["/attestation/collateral"] = new JsonObject
        {
            ["get"] = Operation("attestation.collateral.get", "For administrators of the platform.", "ManagementError", hasBody: false),
            ["post"] = import,
        };
    }

    /// <summary>The same desk for a route's own policy.</summary>
    public static void AddRoute(JsonObject paths, string route)
    {
        foreach (var path in InferenceEndpoints.All.Where(static endpoint => endpoint.Name.StartsWith("attestation.policy", StringComparison.Ordinal)).GroupBy(static endpoint => endpoint.Path))
        {
            var item = new JsonObject { ["parameters"] = new JsonArray(RoutePaths.NameParameter()) };
            foreach (var endpoint in path)
            {
                item[endpoint.Method.ToLowerInvariant()] = Operation(endpoint.Name, "For administrators of the platform.", "ManagementError", endpoint.Method == HttpMethods.Post);
                item[endpoint.Method.ToLowerInvariant()]!["operationId"] = $"route.{endpoint.Name}";
            }

            paths[$"{route}{path.Key}"] = item;
        }
    }

    private static JsonObject Operation(string name, string who, string error, bool hasBody)
    {
        var (status, schema, says) = _answers[name];
        var answer = new JsonObject { ["description"] = says };
        if (name is "attestation" or "attestation.evidence")
        {
            answer["content"] = new JsonObject { ["application/json"] = Schema("object", null), ["application/octet-stream"] = new JsonObject() };
        }
        else if (schema is not null)
        {
            answer["content"] = new JsonObject { ["application/json"] = Schema(null, schema) };
        }

        var operation = new JsonObject
        {
            ["operationId"] = error == "Error" ? $"domain.{name}" : $"platform.{name}",
            ["description"] = $"{says} {who}",
            ["responses"] = new JsonObject
            {
                [$"{status}"] = answer,
                ["default"] = new JsonObject { ["description"] = "An error.", ["content"] = new JsonObject { ["application/json"] = Schema(null, error) } },
            },
        };
        if (hasBody)
        {
            operation["requestBody"] = new JsonObject { ["required"] = true, ["content"] = new JsonObject { ["application/json"] = Schema("object", null) } };
        }

        return operation;
    }

    private static JsonObject Schema(string? type, string? reference) => new()
    {
        ["schema"] = type is not null ? new JsonObject { ["type"] = type } : new JsonObject { ["$ref"] = $"#/components/schemas/{reference}" },
    };
}
