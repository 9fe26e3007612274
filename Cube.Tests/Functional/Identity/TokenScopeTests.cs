using System.Text.Json;
using Cube.Authorization;
using Cube.Tests.Systems;

namespace Cube.Tests.Functional.Identity;

/// <summary>Calls every endpoint of Identity's OpenAPI document with a personal access token of a domain administrator: the role alone is not sufficient.</summary>
[Collection(EmbeddedEngineCollectionDefinition.Name)]
public sealed class TokenScopeTests(EmbeddedEngineSystem system)
{
    /// <summary>The action that a scope must name, by method and path. Other endpoints do not accept personal access tokens.</summary>
    private static readonly Dictionary<string, string> Needs = new()
    {
        ["GET /domains/{id}"] = "read",
        ["PATCH /domains/{id}"] = "update",
        ["POST /domains/{id}/enable"] = "enable",
        ["POST /domains/{id}/disable"] = "disable",
        ["GET /domains/{id}/users"] = "view_role_users",
        ["POST /domains/{id}/roles"] = "manage_role",
        ["GET /domains/{id}/roles"] = "view_role_users",
        ["DELETE /domains/{id}/roles"] = "remove_role_users",
        ["GET /domains/{id}/roles/members"] = "view_role_users",
        ["GET /domains/{id}/roles/{roleId}"] = "view_role_users",
        ["PUT /domains/{id}/roles/{roleId}"] = "manage_role",
        ["DELETE /domains/{id}/roles/{roleId}"] = "manage_role",
        ["POST /domains/{id}/roles/{roleId}/actions"] = "manage_role",
        ["GET /domains/{id}/roles/{roleId}/actions"] = "view_role_users",
        ["POST /domains/{id}/roles/{roleId}/actions/delete"] = "manage_role",
        ["POST /domains/{id}/roles/{roleId}/actions/delete-all"] = "manage_role",
        ["GET /domains/{id}/roles/{roleId}/models"] = "view_role_users",
        ["PUT /domains/{id}/roles/{roleId}/models"] = "manage_role",
        ["GET /domains/{id}/roles/{roleId}/members"] = "view_role_users",
        ["POST /domains/{id}/roles/{roleId}/members"] = "add_role_users",
        ["POST /domains/{id}/roles/{roleId}/members/delete"] = "remove_role_users",
        ["POST /domains/{id}/roles/{roleId}/members/delete-all"] = "remove_role_users",
        ["POST /domains/{id}/invitations"] = "manage_role",
        ["GET /domains/{id}/invitations"] = "manage_role",
        ["DELETE /domains/{id}/invitations"] = "manage_role",
        ["GET /domains/{id}/journal"] = "audit_log_read",
        // Last, because it deletes the domain.
        ["DELETE /domains/{id}"] = "delete",
    };

    /// <summary>Endpoints that accept any token because proxies call them with the caller's token, and anonymous endpoints.</summary>
    private static readonly string[] Open =
    [
        "GET /users/tokens/introspect", "GET /domains/{id}/membership", "GET /keys/.well-known/jwks.json", "GET /verify-email",
        "GET /healthz", "GET /readyz",
    ];

    private readonly CubeSystem _cube = system.Cube;

    [Fact]
    public async Task Each_endpoint_requires_its_scope_and_no_other_scope_allows_it()
    {
        var tenant = await _cube.CreateTenantAsync();
        var role = await _cube.CreateRoleAsync(tenant, "of the matrix", ["read"]);
        var (_, none) = await _cube.CreatePatAsync(tenant);
        var (_, everything) = await _cube.CreatePatAsync(tenant, "models/*/*", "domains/*/*");
        var (with, without) = (new Dictionary<string, string>(), new Dictionary<string, string>());
        foreach (var action in Needs.Values.Distinct())
        {
            with[action] = (await _cube.CreatePatAsync(tenant, $"domains/*/{action}")).Secret;
            without[action] = (await _cube.CreatePatAsync(
                tenant, [.. CubeSchema.Actions.Where(other => other != action && !CubeSchema.IsModelAction(other)).Select(static other => $"domains/*/{other}"), "models/*/*"])).Secret;
        }

        var document = JsonElement.Parse(await _cube.Http.GetStringAsync("/openapi/identity.json"));
        var all = document.GetProperty("paths").EnumerateObject()
            .SelectMany(static path => path.Value.EnumerateObject().Where(static member => member.Name != "parameters").Select(member => $"{member.Name.ToUpperInvariant()} {path.Name}"))
            .Select(static operation => operation.TrimEnd('/')).ToHashSet();
        Assert.Empty(Needs.Keys.Except(all));

        List<string> wrong = [];
        foreach (var operation in all.Where(static operation => !Needs.ContainsKey(operation) && !Open.Contains(operation)))
        {
            // Anonymous endpoints also reject a personal access token, because they require a different token.
            await ExpectAsync(operation, everything, static status => status is 400 or 401 or 403, "takes no personal access token");
        }

        foreach (var (operation, action) in Needs)
        {
            await ExpectAsync(operation, none, static status => status == 403, "needs a scope");
            await ExpectAsync(operation, without[action], static status => status == 403, $"needs {action}");
            await ExpectAsync(operation, with[action], static status => status is not (401 or 403 or >= 500), $"is opened by {action}");
        }

        Assert.Empty(wrong);

        async Task ExpectAsync(string operation, string token, Func<int, bool> isRight, string rule)
        {
            var (method, template) = (operation[..operation.IndexOf(' ', StringComparison.Ordinal)], operation[(operation.IndexOf(' ', StringComparison.Ordinal) + 1)..]);
            var path = template.Replace("{id}", tenant.Domain.ToString(), StringComparison.Ordinal).Replace("{roleId}", role, StringComparison.Ordinal)
                .Replace("{userId}", tenant.UserId.ToString(), StringComparison.Ordinal).Replace("{patId}", Guid.NewGuid().ToString(), StringComparison.Ordinal);
            // An empty body is rejected after the permission check. Deleting the role would break the later cases.
            var target = operation.StartsWith("DELETE /domains/{id}/roles/", StringComparison.Ordinal) ? $"/domains/{tenant.Domain}/roles/no-such-role" : path;
            using var answer = await _cube.SendRawAsync(new HttpMethod(method), target, token, method == "GET" ? null : new { });
            if (!isRight((int)answer.StatusCode))
            {
                wrong.Add($"{operation} {rule}, and answers {(int)answer.StatusCode}");
            }
        }
    }
}
