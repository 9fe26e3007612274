using System.Net.Http.Headers;
using System.Text.Json.Nodes;
using Cube.Tests.Systems;

namespace Cube.Tests.Functional.Identity;

/// <summary>Sends null as the body, as each member and as each array element to every endpoint of Identity's OpenAPI document.</summary>
[Collection(EmbeddedEngineCollectionDefinition.Name)]
public sealed class NullMemberTests(EmbeddedEngineSystem system)
{
    private readonly CubeSystem _cube = system.Cube;

    [Fact]
    public async Task Null_in_a_request_never_causes_a_500()
    {
        var document = JsonNode.Parse(await _cube.Http.GetStringAsync("/openapi/identity.json"))!.AsObject();
        var schemas = document["components"]!["schemas"]!.AsObject();
        var (tenant, other, admin) = (await _cube.CreateTenantAsync(), await _cube.CreateUserAsync(), (await _cube.LoginAsync()).Access);
        var role = await _cube.CreateRoleAsync(tenant, "of nulls", ["read"]);
        var (pat, _) = await _cube.CreatePatAsync(tenant);
        List<string> wrong = [];
        var count = 0;
        foreach (var (template, item) in document["paths"]!.AsObject())
        {
            foreach (var (method, operation) in item!.AsObject().Where(static member => member.Key != "parameters"))
            {
                if (operation!["requestBody"]?["content"]?["application/json"]?["schema"] is not JsonObject schema)
                {
                    continue;
                }

                // An administrator of the platform changes another user's account, so the tenant's own account stays intact.
                var isAccount = template.StartsWith("/users", StringComparison.Ordinal);
                var path = template.Replace("{id}", tenant.Domain.ToString(), StringComparison.Ordinal).Replace("{roleId}", role, StringComparison.Ordinal)
                    .Replace("{userId}", other.UserId.ToString(), StringComparison.Ordinal).Replace("{patId}", pat.ToString(), StringComparison.Ordinal);
                foreach (var (body, isElement) in Variants(schema, schemas))
                {
                    using var content = new StringContent(body) { Headers = { ContentType = new MediaTypeHeaderValue("application/json") } };
                    using var answer = await _cube.SendRawAsync(new HttpMethod(method.ToUpperInvariant()), path, isAccount ? admin : tenant.Token, content);
                    count++;
                    if ((int)answer.StatusCode is 500 or 502 or 504 || (isElement && (int)answer.StatusCode is not (400 or 403)))
                    {
                        wrong.Add($"{method} {template} {body}: {(int)answer.StatusCode}");
                    }
                }
            }
        }

        Assert.Empty(wrong);
        Assert.True(count > 100, $"{count} requests");
    }

    /// <summary>Bodies with every member, each with null in one place.</summary>
    private static IEnumerable<(string Body, bool IsElement)> Variants(JsonObject schema, JsonObject schemas)
    {
        yield return ("null", false);
        yield return ("[null]", false);
        var whole = Sample(schema, schemas)!;
        foreach (var path in Places(whole).ToArray())
        {
            var copy = whole.DeepClone();
            var at = copy;
            foreach (var step in path[..^1])
            {
                at = step is int index ? at![index] : at![(string)step];
            }

            if (path[^1] is int last)
            {
                at![last] = null;
            }
            else
            {
                at![(string)path[^1]] = null;
            }

            yield return (copy.ToJsonString(), path[^1] is int);
        }
    }

    private static IEnumerable<object[]> Places(JsonNode? node)
    {
        var inner = node switch
        {
            JsonObject members => members.Select(static member => ((object)member.Key, member.Value)),
            JsonArray elements => elements.Select(static (element, index) => ((object)index, element)),
            _ => [],
        };
        foreach (var (step, value) in inner)
        {
            yield return [step];
            foreach (var rest in Places(value))
            {
                yield return [step, .. rest];
            }
        }
    }

    private static JsonNode? Sample(JsonNode? schema, JsonObject schemas)
    {
        if (schema is not JsonObject rules)
        {
            return "x";
        }

        if (rules["$ref"]?.GetValue<string>() is { } reference)
        {
            return Sample(schemas[reference[(reference.LastIndexOf('/') + 1)..]], schemas);
        }

        if ((rules["oneOf"] ?? rules["anyOf"]) is JsonArray choices)
        {
            return Sample(choices.First(static choice => choice?["type"]?.ToString() != "null"), schemas);
        }

        if (rules["properties"] is JsonObject properties)
        {
            return new JsonObject(properties.Select(property => KeyValuePair.Create(property.Key, Sample(property.Value, schemas))));
        }

        return rules["items"] is { } items ? new JsonArray(Sample(items, schemas), Sample(items, schemas))
            : rules["format"]?.GetValue<string>() == "uuid" ? "00000000-0000-4000-8000-000000000001"
            : rules["type"]?.ToJsonString() is { } type && type.Contains("boolean", StringComparison.Ordinal) ? true
            : "x";
    }
}
