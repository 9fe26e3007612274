using Cube.Tests.Systems;
using Npgsql;

namespace Cube.Tests.Functional.Authorization;

/// <summary>A caller cannot gain permissions through a role, an invitation, a token or another account.</summary>
public abstract class EscalationTests(AuthorizationSystem system)
{
    private readonly CubeSystem _cube = system.Cube;

    [Fact]
    public async Task A_role_manager_grants_revokes_and_changes_only_what_the_own_role_allows()
    {
        var tenant = await _cube.CreateTenantAsync();
        var manager = await _cube.CreateMemberAsync(tenant, "manager", ["manage_role", "add_role_users", "remove_role_users", "view_role_users", "llm_read"], ["m"]);
        var (roles, friend) = ($"/domains/{tenant.Domain}/roles", await _cube.CreateUserAsync());
        var (own, admin) = (await _cube.RoleIdAsync(tenant, "manager"), await _cube.RoleIdAsync(tenant, "admin"));
        var strong = await _cube.CreateRoleAsync(tenant, "strong", ["audit_log_read"]);
        await _cube.CreateMemberAsync(tenant, "weak", ["llm_read"], ["m"]);
        var weak = await _cube.RoleIdAsync(tenant, "weak");

        await RefusedAsync(HttpMethod.Post, roles, new { role_name = "mine", optional_actions = (string[])["llm_chat_completions"], optional_models = (string[])["m"] });
        await RefusedAsync(HttpMethod.Post, roles, new { role_name = "mine", optional_actions = (string[])["llm_read"] });
        await RefusedAsync(HttpMethod.Post, roles, new { role_name = "mine", optional_actions = (string[])["llm_read"], optional_models = (string[])["other:latest"] });
        await RefusedAsync(HttpMethod.Post, $"{roles}/{own}/actions", new { actions = (string[])["audit_log_read"] });
        await RefusedAsync(HttpMethod.Post, $"{roles}/{weak}/actions", new { actions = (string[])["update"] });
        await RefusedAsync(HttpMethod.Put, $"{roles}/{own}/models", new { models = (string[])["*"] });
        await RefusedAsync(HttpMethod.Put, $"{roles}/{weak}/models", new { models = (string[])["m", "other:latest"] });
        await RefusedAsync(HttpMethod.Post, $"{roles}/{admin}/members", new { members = (Guid[])[friend.UserId] });
        await RefusedAsync(HttpMethod.Post, $"{roles}/{strong}/members", new { members = (Guid[])[friend.UserId] });
        await RefusedAsync(HttpMethod.Post, $"{roles}/{admin}/members/delete", new { members = (Guid[])[tenant.UserId] });
        await RefusedAsync(HttpMethod.Post, $"{roles}/{admin}/members/delete-all", null);
        await RefusedAsync(HttpMethod.Delete, roles, new { members = (Guid[])[tenant.UserId] });
        await RefusedAsync(HttpMethod.Delete, $"{roles}/{strong}", null);
        await RefusedAsync(HttpMethod.Post, $"{roles}/{strong}/actions/delete-all", null);
        await RefusedAsync(HttpMethod.Post, $"/domains/{tenant.Domain}/invitations", new { invitee_user_id = friend.UserId, role_id = admin });
        Assert.Equal(201, (await _cube.SendAsync(
            HttpMethod.Post, roles, manager.Token, new { role_name = "mine", optional_actions = (string[])["llm_read"], optional_models = (string[])["m"] })).Status);
        Assert.Equal(200, (await _cube.SendAsync(HttpMethod.Post, $"{roles}/{weak}/members", manager.Token, new { members = (Guid[])[friend.UserId] })).Status);
        await system.EngineAgreesAsync();

        async Task RefusedAsync(HttpMethod method, string path, object? body)
        {
            var (status, answer) = await _cube.SendAsync(method, path, manager.Token, body);
            Assert.True(status == 403, $"{method} {path}: {status} {answer}");
        }
    }

    [Fact]
    public async Task A_built_in_role_cannot_be_changed()
    {
        var tenant = await _cube.CreateTenantAsync();
        foreach (var name in (string[])["admin", "member", "auditor"])
        {
            var path = $"/domains/{tenant.Domain}/roles/{await _cube.RoleIdAsync(tenant, name)}";
            Assert.Equal(403, (await _cube.SendAsync(HttpMethod.Put, path, tenant.Token, new { name = "other" })).Status);
            Assert.Equal(403, (await _cube.SendAsync(HttpMethod.Delete, path, tenant.Token)).Status);
            Assert.Equal(403, (await _cube.SendAsync(HttpMethod.Post, $"{path}/actions", tenant.Token, new { actions = (string[])["update"] })).Status);
            Assert.Equal(403, (await _cube.SendAsync(HttpMethod.Post, $"{path}/actions/delete-all", tenant.Token)).Status);
            Assert.Equal(403, (await _cube.SendAsync(HttpMethod.Put, $"{path}/models", tenant.Token, new { models = Array.Empty<string>() })).Status);
        }
    }

    [Fact]
    public async Task A_role_of_another_domain_gives_no_access()
    {
        var (mine, theirs) = (await _cube.CreateTenantAsync(), await _cube.CreateTenantAsync());
        var foreign = await _cube.RoleIdAsync(theirs, "admin");
        var friend = await _cube.CreateUserAsync();
        foreach (var (method, path, body) in new (HttpMethod, string, object?)[]
        {
            (HttpMethod.Get, $"/roles/{foreign}", null),
            (HttpMethod.Put, $"/roles/{foreign}", new { name = "x" }),
            (HttpMethod.Delete, $"/roles/{foreign}", null),
            (HttpMethod.Post, $"/roles/{foreign}/members", new { members = (Guid[])[friend.UserId] }),
            (HttpMethod.Post, $"/roles/{foreign}/actions", new { actions = (string[])["read"] }),
            (HttpMethod.Post, "/invitations", new { invitee_user_id = friend.UserId, role_id = foreign }),
        })
        {
            Assert.Equal(404, (await _cube.SendAsync(method, $"/domains/{mine.Domain}{path}", mine.Token, body)).Status);
            Assert.Equal(403, (await _cube.SendAsync(method, $"/domains/{theirs.Domain}{path}", mine.Token, body)).Status);
        }
    }

    [Fact]
    public async Task Changing_another_account_is_answered_with_403_whether_or_not_it_exists()
    {
        var (user, other, admin) = (await _cube.CreateUserAsync(), await _cube.CreateUserAsync(), (await _cube.LoginAsync()).Access);
        foreach (var id in (Guid[])[other.UserId, Guid.NewGuid()])
        {
            foreach (var (path, body) in new (string, object)[]
            {
                ("", new { first_name = "x" }), ("/username", new { username = "x" }), ("/email", new { email = "x@example.com" }), ("/tags", new { tags = (string[])["x"] }),
                ("/picture", new { profile_picture = "https://example.com/x" }), ("/role", new { role = "admin" }),
            })
            {
                Assert.Equal(403, (await _cube.SendAsync(HttpMethod.Patch, $"/users/{id}{path}", user.Token, body)).Status);
            }

            foreach (var (method, path) in new[] { (HttpMethod.Post, "/enable"), (HttpMethod.Post, "/disable"), (HttpMethod.Delete, "") })
            {
                Assert.Equal(403, (await _cube.SendAsync(method, $"/users/{id}{path}", user.Token)).Status);
            }
        }

        // The user cannot change them either.
        Assert.Equal(403, (await _cube.SendAsync(HttpMethod.Patch, $"/users/{user.UserId}/role", user.Token, new { role = "admin" })).Status);
        Assert.Equal(200, (await _cube.SendAsync(HttpMethod.Patch, $"/users/{user.UserId}", user.Token, new { first_name = "x", role = "admin", status = "disabled", verified_at = "2020-01-01T00:00:00Z" })).Status);
        Assert.Equal("user", (await _cube.SendAsync(HttpMethod.Get, $"/users/{user.UserId}", admin)).Body.GetProperty("role").GetString());
        Assert.Equal(403, (await _cube.SendAsync(HttpMethod.Get, "/users", user.Token)).Status);
        var (_, reduced) = await _cube.SendAsync(HttpMethod.Get, $"/users/{other.UserId}", user.Token);
        Assert.Equal(["id", "first_name", "last_name", "credentials"], reduced.EnumerateObject().Select(static member => member.Name));
    }

    [Fact]
    public async Task The_last_administrator_of_a_domain_cannot_be_removed()
    {
        var tenant = await _cube.CreateTenantAsync();
        var role = await _cube.RoleIdAsync(tenant, "admin");
        var roles = $"/domains/{tenant.Domain}/roles";
        Assert.Equal(422, (await _cube.SendAsync(HttpMethod.Post, $"{roles}/{role}/members/delete", tenant.Token, new { members = (Guid[])[tenant.UserId] })).Status);
        Assert.Equal(422, (await _cube.SendAsync(HttpMethod.Post, $"{roles}/{role}/members/delete-all", tenant.Token)).Status);
        Assert.Equal(422, (await _cube.SendAsync(HttpMethod.Delete, roles, tenant.Token, new { members = (Guid[])[tenant.UserId] })).Status);

        // All administrators remove all others concurrently: one administrator stays.
        var second = await _cube.CreateMemberAsync(tenant, "admin");
        var answers = await Task.WhenAll(
            _cube.SendAsync(HttpMethod.Post, $"{roles}/{role}/members/delete", tenant.Token, new { members = (Guid[])[second.UserId] }),
            _cube.SendAsync(HttpMethod.Post, $"{roles}/{role}/members/delete", second.Token, new { members = (Guid[])[tenant.UserId] }));
        Assert.All(answers, static answer => Assert.Contains(answer.Status, (int[])[200, 204, 403, 422]));
        await using var source = NpgsqlDataSource.Create($"{_cube.Database};Pooling=false");
        await using var left = source.CreateCommand(
            "select count(*) from role_members m join users u on u.id = m.user_id where m.role_id = $1 and u.status = 'enabled'");
        left.Parameters.AddWithValue(role);
        Assert.Equal(1L, await left.ExecuteScalarAsync());
        await system.EngineAgreesAsync();
    }
}

[Collection(EmbeddedEngineCollectionDefinition.Name)]
public sealed class EmbeddedEscalationTests(EmbeddedEngineSystem system) : EscalationTests(system)
{
    private readonly EmbeddedEngineSystem _system = system;

    [Fact]
    public async Task The_last_administrator_of_the_platform_cannot_be_removed()
    {
        await using var cube = await CubeSystem.StartAsync(_system.Postgres);
        var admin = (await cube.LoginAsync()).Access;
        var id = (await cube.SendAsync(HttpMethod.Get, "/users/profile", admin)).Body.GetProperty("id").GetGuid();
        Assert.Equal(422, (await cube.SendAsync(HttpMethod.Patch, $"/users/{id}/role", admin, new { role = "user" })).Status);
        Assert.Equal(422, (await cube.SendAsync(HttpMethod.Post, $"/users/{id}/disable", admin)).Status);
        Assert.Equal(422, (await cube.SendAsync(HttpMethod.Delete, $"/users/{id}", admin)).Status);
    }
}

[Collection(SpiceDbCollectionDefinition.Name)]
public sealed class SpiceDbEscalationTests(SpiceDbSystem system) : EscalationTests(system);
