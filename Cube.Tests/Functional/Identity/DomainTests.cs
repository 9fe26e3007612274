using System.Text.Json;
using Cube.Tests.Systems;

namespace Cube.Tests.Functional.Identity;

[Collection(GuideCollectionDefinition.Name)]
public sealed class DomainTests(GuideSystem system)
{
    private readonly CubeSystem _cube = system.Cube;

    [Fact]
    public async Task Any_user_creates_a_domain_and_becomes_its_administrator()
    {
        var user = await _cube.CreateUserAsync();
        using var response = await _cube.SendRawAsync(HttpMethod.Post, "/domains", user.Token, new
        {
            name = "Production_App",
            route = $"r{user.Name}",
            tags = (string[])["healthcare", "internal"],
            metadata = new { region = "US" },
        });
        Assert.Equal(201, (int)response.StatusCode);
        var domain = JsonElement.Parse(await response.Content.ReadAsStringAsync());
        Assert.Equal($"/domains/{domain.GetProperty("id").GetString()}", response.Headers.Location!.ToString());
        Assert.Equal("enabled", domain.GetProperty("status").GetString());
        Assert.Equal("admin", domain.GetProperty("role_name").GetString());
        Assert.Equal(user.UserId, domain.GetProperty("member_id").GetGuid());
        Assert.Equal("US", domain.GetProperty("metadata").GetProperty("region").GetString());
    }

    [Theory]
    [InlineData("""{"route":"abc"}""")]
    [InlineData("""{"name":"","route":"abc"}""")]
    [InlineData("""{"name":"a"}""")]
    [InlineData("""{"name":"a","route":"1abc"}""")]
    [InlineData("""{"name":"a","route":"a b"}""")]
    [InlineData("""{"name":"a","route":"a234567890123456789012345678901234567"}""")]
    [InlineData("""{"name":"a","route":"abc","metadata":[]}""")]
    [InlineData("""{"name":"a","route":"abc","tags":[""]}""")]
    [InlineData("""{"name":"a\u0000b","route":"abc"}""")]
    [InlineData("""{"name":"a\ud800","route":"abc"}""")]
    [InlineData("""{"name":"a","route":"abc","metadata":{"a":"\u0000"}}""")]
    [InlineData("""{"name":"a","route":"abc","metadata":{"a":"\ud800"}}""")]
    [InlineData("""{"name":"a","route":"abc","id":"3f0e8c1e-6a4e-4a55-9d3f-0c7f0f9b8a11"}""")]
    public async Task An_invalid_domain_is_answered_with_400(string body)
    {
        var user = await _cube.CreateUserAsync();
        using var content = new StringContent(body, new System.Net.Http.Headers.MediaTypeHeaderValue("application/json"));
        Assert.Equal(400, (await _cube.SendAsync(HttpMethod.Post, "/domains", user.Token, content)).Status);
    }

    [Fact]
    public async Task A_route_that_is_in_use_is_answered_with_409()
    {
        var tenant = await _cube.CreateTenantAsync();
        Assert.Equal(409, (await _cube.SendAsync(HttpMethod.Post, "/domains", tenant.Token, new { name = "x", route = tenant.Name.ToUpperInvariant() })).Status);
    }

    [Fact]
    public async Task A_foreign_domain_and_an_unknown_domain_receive_the_same_answer()
    {
        var (mine, foreign) = (await _cube.CreateTenantAsync(), await _cube.CreateTenantAsync());
        foreach (var (method, body) in new (HttpMethod, object?)[] { (HttpMethod.Get, null), (HttpMethod.Patch, new { name = "x" }) })
        {
            var theirs = await _cube.SendAsync(method, $"/domains/{foreign.Domain}", mine.Token, body);
            var unknown = await _cube.SendAsync(method, $"/domains/{Guid.NewGuid()}", mine.Token, body);
            Assert.Equal(403, theirs.Status);
            Assert.Equal(403, unknown.Status);
            Assert.Equal(theirs.Body.GetRawText(), unknown.Body.GetRawText());
        }
    }

    [Fact]
    [Trait("Conformance", "TN-07")]
    public async Task A_user_lists_only_domains_of_which_the_user_is_a_member()
    {
        var (mine, _) = (await _cube.CreateTenantAsync(), await _cube.CreateTenantAsync());
        var (status, list) = await _cube.SendAsync(HttpMethod.Get, "/domains?limit=100&status=all&order=name&dir=asc", mine.Token);
        Assert.Equal(200, status);
        Assert.Equal(1, list.GetProperty("total").GetInt32());
        Assert.Equal(mine.Domain, list.GetProperty("domains").EnumerateArray().Single().GetProperty("id").GetGuid());
        Assert.Equal(400, (await _cube.SendAsync(HttpMethod.Get, "/domains?limit=101", mine.Token)).Status);
        Assert.Equal(400, (await _cube.SendAsync(HttpMethod.Get, "/domains?order=id;drop", mine.Token)).Status);
    }

    [Fact]
    public async Task An_administrator_changes_a_domain_but_not_its_route()
    {
        var tenant = await _cube.CreateTenantAsync();
        var (status, changed) = await _cube.SendAsync(
            HttpMethod.Patch, $"/domains/{tenant.Domain}", tenant.Token, new { name = "New", tags = (string[])["t"], metadata = new { a = 1 } });
        Assert.Equal(200, status);
        Assert.Equal("New", changed.GetProperty("name").GetString());
        Assert.Equal(tenant.UserId, changed.GetProperty("updated_by").GetGuid());
        Assert.Equal(400, (await _cube.SendAsync(HttpMethod.Patch, $"/domains/{tenant.Domain}", tenant.Token, new { route = "other" })).Status);
    }

    [Fact]
    public async Task An_administrator_adds_and_removes_a_member_who_cannot_administer()
    {
        var (tenant, user) = (await _cube.CreateTenantAsync(), await _cube.CreateUserAsync());
        var role = await RoleAsync(tenant, "member");
        var members = new { members = (Guid[])[user.UserId] };

        Assert.Equal(200, (await _cube.SendAsync(HttpMethod.Post, $"/domains/{tenant.Domain}/roles/{role}/members", tenant.Token, members)).Status);
        var (_, list) = await _cube.SendAsync(HttpMethod.Get, $"/domains/{tenant.Domain}/roles/{role}/members", tenant.Token);
        Assert.Equal(user.UserId, list.GetProperty("members").EnumerateArray().Single().GetGuid());
        Assert.Equal("member", (await _cube.SendAsync(HttpMethod.Get, $"/domains/{tenant.Domain}", user.Token)).Body.GetProperty("role_name").GetString());

        Assert.Equal(403, (await _cube.SendAsync(HttpMethod.Patch, $"/domains/{tenant.Domain}", user.Token, new { name = "x" })).Status);
        var admin = await RoleAsync(tenant, "admin");
        Assert.Equal(403, (await _cube.SendAsync(HttpMethod.Post, $"/domains/{tenant.Domain}/roles/{admin}/members", user.Token, members)).Status);
        // A member has one role, which must be removed before another is assigned.
        Assert.Equal(409, (await _cube.SendAsync(HttpMethod.Post, $"/domains/{tenant.Domain}/roles/{admin}/members", tenant.Token, members)).Status);

        Assert.Equal(204, (await _cube.SendAsync(HttpMethod.Post, $"/domains/{tenant.Domain}/roles/{role}/members/delete", tenant.Token, members)).Status);
        Assert.Equal(403, (await _cube.SendAsync(HttpMethod.Get, $"/domains/{tenant.Domain}", user.Token)).Status);
    }

    [Fact]
    public async Task A_role_of_another_domain_gives_no_permission()
    {
        var (mine, foreign) = (await _cube.CreateTenantAsync(), await _cube.CreateTenantAsync());
        var theirRole = await RoleAsync(foreign, "admin");
        var me = new { members = (Guid[])[mine.UserId] };
        Assert.Equal(404, (await _cube.SendAsync(HttpMethod.Post, $"/domains/{mine.Domain}/roles/{theirRole}/members", mine.Token, me)).Status);
        Assert.Equal(403, (await _cube.SendAsync(HttpMethod.Post, $"/domains/{foreign.Domain}/roles/{theirRole}/members", mine.Token, me)).Status);
        Assert.Equal(403, (await _cube.SendAsync(HttpMethod.Get, $"/domains/{foreign.Domain}", mine.Token)).Status);
    }

    [Fact]
    public async Task Two_administrators_cannot_remove_each_other_concurrently()
    {
        var (tenant, second) = (await _cube.CreateTenantAsync(), await _cube.CreateUserAsync());
        var role = await RoleAsync(tenant, "admin");
        var path = $"/domains/{tenant.Domain}/roles/{role}/members";
        Assert.Equal(422, (await _cube.SendAsync(HttpMethod.Post, $"{path}/delete", tenant.Token, new { members = (Guid[])[tenant.UserId] })).Status);

        Assert.Equal(200, (await _cube.SendAsync(HttpMethod.Post, path, tenant.Token, new { members = (Guid[])[second.UserId] })).Status);
        var answers = await Task.WhenAll(
            _cube.SendAsync(HttpMethod.Post, $"{path}/delete", tenant.Token, new { members = (Guid[])[second.UserId] }),
            _cube.SendAsync(HttpMethod.Post, $"{path}/delete", second.Token, new { members = (Guid[])[tenant.UserId] }));
        Assert.Single(answers, static answer => answer.Status == 204);
    }

    [Fact]
    public async Task A_platform_administrator_reads_a_domain_but_cannot_change_its_members()
    {
        var tenant = await _cube.CreateTenantAsync();
        var admin = await _cube.LoginAsync();
        var (status, domain) = await _cube.SendAsync(HttpMethod.Get, $"/domains/{tenant.Domain}", admin.Access);
        Assert.Equal(200, status);
        Assert.False(domain.TryGetProperty("member_id", out _));
        Assert.Equal(404, (await _cube.SendAsync(HttpMethod.Get, $"/domains/{Guid.NewGuid()}", admin.Access)).Status);
        var role = await RoleAsync(tenant, "member");
        Assert.Equal(403, (await _cube.SendAsync(
            HttpMethod.Post, $"/domains/{tenant.Domain}/roles/{role}/members", admin.Access, new { members = (Guid[])[tenant.UserId] })).Status);
    }

    private async Task<string> RoleAsync(Tenant tenant, string name)
    {
        var (_, domain) = await _cube.SendAsync(HttpMethod.Get, $"/domains/{tenant.Domain}?roles=true", tenant.Token);
        return domain.GetProperty("roles").EnumerateArray().Single(role => role.GetProperty("name").GetString() == name).GetProperty("id").GetString()!;
    }
}
