using System.Text.Json;
using Cube.Tests.Systems;

namespace Cube.Tests.Functional.Identity;

[Collection(GuideCollectionDefinition.Name)]
public sealed class UserAdministrationTests(GuideSystem system)
{
    private readonly CubeSystem _cube = system.Cube;

    [Fact]
    public async Task A_user_changes_the_own_account_and_reads_the_changes()
    {
        var user = await _cube.CreateUserAsync();
        var (path, name) = ($"/users/{user.UserId}", UserTests.NewName());
        Assert.Equal(200, (await _cube.SendAsync(HttpMethod.Patch, path, user.Token, new { first_name = "Grace", metadata = new { team = "blue" } })).Status);
        Assert.Equal(200, (await _cube.SendAsync(HttpMethod.Patch, $"{path}/username", user.Token, new { username = name })).Status);
        Assert.Equal(200, (await _cube.SendAsync(HttpMethod.Patch, $"{path}/tags", user.Token, new { tags = (string[])["a", "b"] })).Status);
        Assert.Equal(200, (await _cube.SendAsync(HttpMethod.Patch, $"{path}/picture", user.Token, new { profile_picture = "https://example.com/p.png" })).Status);
        var (_, profile) = await _cube.SendAsync(HttpMethod.Get, "/users/profile", user.Token);
        Assert.Equal(("Grace", name), (profile.GetProperty("first_name").GetString(), profile.GetProperty("credentials").GetProperty("username").GetString()));
        Assert.Equal("blue", profile.GetProperty("metadata").GetProperty("team").GetString());

        var other = await _cube.CreateUserAsync();
        Assert.Equal(409, (await _cube.SendAsync(HttpMethod.Patch, $"{path}/username", user.Token, new { username = other.Name })).Status);
        foreach (var (sub, body) in new (string, object)[]
        {
            ("", new { first_name = "" }), ("", new { metadata = "x" }), ("/username", new { username = "a b" }), ("/username", new { }), ("/tags", new { }), ("/picture", new { profile_picture = "ftp://x" }),
        })
        {
            Assert.Equal(400, (await _cube.SendAsync(HttpMethod.Patch, path + sub, user.Token, body)).Status);
        }

        using var text = new StringContent("{}");
        Assert.Equal(415, (await _cube.SendAsync(HttpMethod.Patch, path, user.Token, text)).Status);
    }

    [Fact]
    public async Task A_password_change_requires_the_old_password_and_ends_the_other_sessions()
    {
        var user = await _cube.CreateUserAsync();
        var other = await _cube.LoginAsync(user.Name, user.Password);
        var (_, secret) = await _cube.CreatePatAsync(user);
        Assert.Equal(400, (await _cube.SendAsync(HttpMethod.Patch, "/users/secret", user.Token, new { old_secret = "wrong password", new_secret = "another password" })).Status);
        Assert.Equal(400, (await _cube.SendAsync(HttpMethod.Patch, "/users/secret", user.Token, new { old_secret = user.Password, new_secret = "short" })).Status);
        Assert.Equal(200, (await _cube.SendAsync(HttpMethod.Patch, "/users/secret", user.Token, new { old_secret = user.Password, new_secret = "another password" })).Status);
        Assert.Equal(200, (await _cube.SendAsync(HttpMethod.Get, "/users/profile", user.Token)).Status);
        Assert.Equal(401, (await _cube.SendAsync(HttpMethod.Get, "/users/profile", other.Access)).Status);
        await _cube.LoginAsync(user.Name, "another password");
        // Personal access tokens stay valid when the user knows the old password.
        Assert.Equal(200, (await _cube.SendAsync(HttpMethod.Get, "/users/tokens/introspect", secret)).Status);
    }

    [Fact]
    public async Task Administrators_list_disable_enable_promote_and_delete_users()
    {
        var (user, admin) = (await _cube.CreateUserAsync(), (await _cube.LoginAsync()).Access);
        var path = $"/users/{user.UserId}";
        var (_, list) = await _cube.SendAsync(HttpMethod.Get, $"/users?username={user.Name}", admin);
        Assert.Equal(1, list.GetProperty("total").GetInt32());
        Assert.Equal($"{user.Name}@example.com", list.GetProperty("users")[0].GetProperty("email").GetString());
        Assert.Equal(422, await StatusAsync(HttpMethod.Post, $"{path}/enable"));
        Assert.Equal(200, await StatusAsync(HttpMethod.Post, $"{path}/disable"));
        Assert.Equal(401, (await _cube.SendAsync(HttpMethod.Get, "/users/profile", user.Token)).Status);
        Assert.Equal(0, (await _cube.SendAsync(HttpMethod.Get, $"/users?username={user.Name}", admin)).Body.GetProperty("total").GetInt32());
        Assert.Equal(1, (await _cube.SendAsync(HttpMethod.Get, $"/users?username={user.Name}&status=disabled", admin)).Body.GetProperty("total").GetInt32());
        Assert.Equal(200, await StatusAsync(HttpMethod.Post, $"{path}/enable"));
        // The session from before stays revoked.
        Assert.Equal(401, (await _cube.SendAsync(HttpMethod.Get, "/users/profile", user.Token)).Status);
        var token = (await _cube.LoginAsync(user.Name, user.Password)).Access;

        Assert.Equal(403, (await _cube.SendAsync(HttpMethod.Get, "/users", token)).Status);
        Assert.Equal(200, (await _cube.SendAsync(HttpMethod.Patch, $"{path}/role", admin, new { role = "admin" })).Status);
        Assert.Equal(200, (await _cube.SendAsync(HttpMethod.Get, "/users", token)).Status);
        Assert.Equal(200, (await _cube.SendAsync(HttpMethod.Patch, $"{path}/role", admin, new { role = "user" })).Status);
        Assert.Equal(400, (await _cube.SendAsync(HttpMethod.Patch, $"{path}/role", admin, new { role = "god" })).Status);

        Assert.Equal(204, await StatusAsync(HttpMethod.Delete, path));
        Assert.Equal(404, await StatusAsync(HttpMethod.Get, path));
        Assert.Equal(404, await StatusAsync(HttpMethod.Delete, path));
        Assert.Equal(401, (await _cube.SendAsync(HttpMethod.Get, "/users/profile", token)).Status);
        Assert.Equal(400, (await _cube.SendAsync(HttpMethod.Get, "/users?limit=101", admin)).Status);
        Assert.Equal(400, (await _cube.SendAsync(HttpMethod.Get, "/users?order=password_hash", admin)).Status);

        async Task<int> StatusAsync(HttpMethod method, string of) => (await _cube.SendAsync(method, of, admin)).Status;
    }

    [Fact]
    public async Task A_search_finds_users_by_name_and_returns_no_address()
    {
        var (user, other) = (await _cube.CreateUserAsync(), await _cube.CreateUserAsync());
        var (status, found) = await _cube.SendAsync(HttpMethod.Get, $"/users/search?username={other.Name}", user.Token);
        Assert.Equal((200, 1), (status, found.GetProperty("total").GetInt32()));
        Assert.False(found.GetProperty("users")[0].TryGetProperty("email", out _));
        Assert.Equal(["id", "first_name", "last_name", "credentials"], found.GetProperty("users")[0].EnumerateObject().Select(static member => member.Name));
        Assert.Equal(400, (await _cube.SendAsync(HttpMethod.Get, "/users/search", user.Token)).Status);
        Assert.Equal(400, (await _cube.SendAsync(HttpMethod.Get, "/users/search?username=ab", user.Token)).Status);
        Assert.Equal(401, (await _cube.SendAsync(HttpMethod.Get, "/users/search?username=abc", null)).Status);
    }

    [Fact]
    public async Task Metadata_is_returned_only_to_the_user_and_to_administrators_of_the_platform()
    {
        var (tenant, admin) = (await _cube.CreateTenantAsync(), (await _cube.LoginAsync()).Access);
        var other = await _cube.CreateMemberAsync(tenant, "member");
        Assert.Equal(200, (await _cube.SendAsync(HttpMethod.Patch, $"/users/{tenant.UserId}", tenant.Token, new { metadata = new { phone = "not for all" } })).Status);
        foreach (var path in (string[])[$"/users/{tenant.UserId}", $"/users/search?id={tenant.UserId}", $"/users/search?username={tenant.Name}"])
        {
            Assert.DoesNotContain("metadata", (await _cube.SendAsync(HttpMethod.Get, path, other.Token)).Body.GetRawText(), StringComparison.Ordinal);
            Assert.Contains("not for all", (await _cube.SendAsync(HttpMethod.Get, path, tenant.Token)).Body.GetRawText(), StringComparison.Ordinal);
            Assert.Contains("not for all", (await _cube.SendAsync(HttpMethod.Get, path, admin)).Body.GetRawText(), StringComparison.Ordinal);
        }

        var third = await _cube.CreateUserAsync();
        await _cube.AddMemberAsync(tenant, await _cube.RoleIdAsync(tenant, "admin"), third);
        Assert.DoesNotContain("not for all", (await _cube.SendAsync(HttpMethod.Get, $"/domains/{tenant.Domain}/users", third.Token)).Body.GetRawText(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Every_change_is_a_journal_event_without_secrets()
    {
        var (tenant, admin) = (await _cube.CreateTenantAsync(), (await _cube.LoginAsync()).Access);
        var member = await _cube.CreateMemberAsync(tenant, "embedder", ["llm_embeddings"]);
        await _cube.SendAsync(HttpMethod.Patch, $"/domains/{tenant.Domain}", tenant.Token, new { name = "Renamed" });
        var (_, secret) = await _cube.CreatePatAsync(tenant, "models/*/*");
        await _cube.SendAsync(HttpMethod.Patch, "/users/secret", tenant.Token, new { old_secret = tenant.Password, new_secret = "another password" });

        var (status, journal) = await _cube.SendAsync(HttpMethod.Get, $"/domains/{tenant.Domain}/journal?limit=100&dir=asc", tenant.Token);
        Assert.Equal(200, status);
        var events = journal.GetProperty("journals").EnumerateArray().ToArray();
        var renamed = Assert.Single(events, static item => item.GetProperty("operation").GetString() == "domain.update");
        Assert.Equal(tenant.UserId, renamed.GetProperty("actor_id").GetGuid());
        Assert.Equal(($"Domain of {tenant.Name}", "Renamed"), (renamed.GetProperty("before").GetProperty("name").GetString(), renamed.GetProperty("after").GetProperty("name").GetString()));
        Assert.Matches("^[0-9a-f]{32}$", renamed.GetProperty("trace_id").GetString());
        var joined = Assert.Single(events, item => item.GetProperty("operation").GetString() == "role_member.create" && item.GetProperty("after").GetProperty("user_id").GetGuid() == member.UserId);
        Assert.Equal(tenant.UserId, joined.GetProperty("actor_id").GetGuid());
        Assert.Contains(events, static item => item.GetProperty("operation").GetString() == "pat_scope.create");

        var (_, own) = await _cube.SendAsync(HttpMethod.Get, $"/journal/user/{tenant.UserId}?limit=100", tenant.Token);
        string?[] operations = [.. own.GetProperty("journals").EnumerateArray().Select(static item => item.GetProperty("operation").GetString())];
        Assert.Contains("session.create", operations);
        Assert.Contains("pat.create", operations);
        Assert.Contains("user.update", operations);
        foreach (var text in (string[])[own.GetRawText(), journal.GetRawText()])
        {
            Assert.DoesNotContain("password_hash", text, StringComparison.Ordinal);
            Assert.DoesNotContain("secret_hash", text, StringComparison.Ordinal);
            Assert.DoesNotContain(secret, text, StringComparison.Ordinal);
        }

        // Other callers cannot read it: another tenant, a member without the action, and the platform for events inside a domain.
        Assert.Equal(403, (await _cube.SendAsync(HttpMethod.Get, $"/domains/{tenant.Domain}/journal", member.Token)).Status);
        Assert.Equal(403, (await _cube.SendAsync(HttpMethod.Get, $"/domains/{tenant.Domain}/journal", admin)).Status);
        Assert.Equal(403, (await _cube.SendAsync(HttpMethod.Get, $"/journal/user/{tenant.UserId}", member.Token)).Status);
        Assert.Equal(403, (await _cube.SendAsync(HttpMethod.Get, "/journal", tenant.Token)).Status);
        var (_, platform) = await _cube.SendAsync(HttpMethod.Get, "/journal?limit=100", admin);
        Assert.DoesNotContain(platform.GetProperty("journals").EnumerateArray(), static item => item.GetProperty("operation").GetString()!.StartsWith("role", StringComparison.Ordinal));
        Assert.Equal(400, (await _cube.SendAsync(HttpMethod.Get, "/journal?dir=up", admin)).Status);
        var later = Uri.EscapeDataString(TimeProvider.System.GetUtcNow().AddHours(1).ToString("O"));
        Assert.Equal(0, (await _cube.SendAsync(HttpMethod.Get, $"/domains/{tenant.Domain}/journal?from={later}", tenant.Token)).Body.GetProperty("total").GetInt32());
    }
}
