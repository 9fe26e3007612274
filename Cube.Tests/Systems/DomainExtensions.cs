using System.Text.Json;

namespace Cube.Tests.Systems;

/// <summary>Administration of domains, roles and tokens over HTTP.</summary>
internal static class DomainExtensions
{
    public static async Task<string> RoleIdAsync(this CubeSystem cube, Tenant tenant, string name)
    {
        var (status, body) = await cube.SendAsync(HttpMethod.Get, $"/domains/{tenant.Domain}/roles?limit=100", tenant.Token);
        Assert.Equal(200, status);
        return body.GetProperty("roles").EnumerateArray().Single(role => role.GetProperty("name").GetString() == name).GetProperty("id").GetString()!;
    }

    /// <summary>Creates a role with these actions, optionally for these models only.</summary>
    public static async Task<string> CreateRoleAsync(this CubeSystem cube, Tenant tenant, string name, string[] actions, string[]? models = null)
    {
        var (status, body) = await cube.SendAsync(
            HttpMethod.Post, $"/domains/{tenant.Domain}/roles", tenant.Token, new { role_name = name, optional_actions = actions, optional_models = models });
        Assert.True(status == 201, body.ToString());
        return body.GetProperty("id").GetString()!;
    }

    public static async Task AddMemberAsync(this CubeSystem cube, Tenant tenant, string roleId, Tenant user)
    {
        var (status, body) = await cube.SendAsync(
            HttpMethod.Post, $"/domains/{tenant.Domain}/roles/{roleId}/members", tenant.Token, new { members = (Guid[])[user.UserId] });
        Assert.True(status == 200, body.ToString());
    }

    /// <summary>Creates a user with a role in the domain of the tenant: a built-in role by name, or a new role with these actions.</summary>
    public static async Task<Tenant> CreateMemberAsync(this CubeSystem cube, Tenant tenant, string role, string[]? actions = null, string[]? models = null)
    {
        var user = await cube.CreateUserAsync();
        var roleId = actions is null ? await cube.RoleIdAsync(tenant, role) : await cube.CreateRoleAsync(tenant, role, actions, models);
        await cube.AddMemberAsync(tenant, roleId, user);
        return user with { Domain = tenant.Domain };
    }

    /// <summary>Creates a personal access token with these scopes, for example <c>models/m/llm_read</c> or <c>domains/*/read</c>.</summary>
    public static async Task<(Guid Id, string Secret)> CreatePatAsync(this CubeSystem cube, Tenant user, params string[] scopes)
    {
        var (status, pat) = await cube.SendAsync(HttpMethod.Post, "/pats", user.Token, new { name = "token", description = "of a test", duration = "1h" });
        Assert.Equal(201, status);
        var id = pat.GetProperty("id").GetGuid();
        if (scopes.Length > 0)
        {
            var (added, body) = await cube.SendAsync(HttpMethod.Patch, $"/pats/{id}/scope/add", user.Token, new { scopes = scopes.Select(scope => Scope(user.Domain, scope)) });
            Assert.True(added == 200, body.ToString());
        }

        return (id, pat.GetProperty("secret").GetString()!);
    }

    public static object Scope(Guid domain, string scope)
    {
        var (type, rest) = (scope[..scope.IndexOf('/', StringComparison.Ordinal)], scope[(scope.IndexOf('/', StringComparison.Ordinal) + 1)..]);
        var at = rest.LastIndexOf('/');
        return new { domain_id = domain, entity_type = type, entity_id = rest[..at], operation = rest[(at + 1)..] };
    }

    public static object Chat(string model) => new { model, messages = (object[])[new { role = "user", content = "hi" }] };

    /// <returns>The status and the error code; the code is null for a success.</returns>
    public static async Task<(int Status, string? Code)> ChatAsync(this CubeSystem cube, Guid domain, string token, string model = "m")
    {
        var (status, body) = await cube.SendAsync(HttpMethod.Post, $"/proxy/{domain}/v1/chat/completions", token, Chat(model));
        return (status, CodeOf(body));
    }

    public static string? CodeOf(JsonElement body) =>
        body.ValueKind == JsonValueKind.Object && body.TryGetProperty("error", out var error)
            ? error.ValueKind == JsonValueKind.Object ? error.GetProperty("code").GetString() : error.GetString()
            : null;
}
