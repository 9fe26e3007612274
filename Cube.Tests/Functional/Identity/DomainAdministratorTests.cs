using Cube.Tests.Systems;

namespace Cube.Tests.Functional.Identity;

/// <summary>An account can be disabled or deleted even when it is the only administrator of a domain; the platform then recovers the domain.</summary>
[Collection(EmbeddedEngineCollectionDefinition.Name)]
public sealed class DomainAdministratorTests(EmbeddedEngineSystem system)
{
    private readonly CubeSystem _cube = system.Cube;

    [Theory]
    [InlineData("POST", "/disable", 200)]
    [InlineData("DELETE", "", 204)]
    public async Task The_platform_appoints_an_administrator_when_the_only_one_is_disabled_or_deleted(string method, string action, int expected)
    {
        var (tenant, next, admin) = (await _cube.CreateTenantAsync(), await _cube.CreateUserAsync(), (await _cube.LoginAsync()).Access);
        var member = await _cube.CreateMemberAsync(tenant, "member");
        var (path, domain) = ($"/users/{tenant.UserId}{action}", $"/domains/{tenant.Domain}");
        Assert.Equal((422, "has_administrator"), await AppointAsync(admin, tenant.Domain, next.UserId));
        Assert.Equal(expected, (await _cube.SendAsync(new HttpMethod(method), path, admin)).Status);

        Assert.Equal(401, (await _cube.SendAsync(HttpMethod.Get, domain, tenant.Token)).Status);
        Assert.Equal(200, (await _cube.SendAsync(HttpMethod.Get, domain, member.Token)).Status);
        Assert.Equal(403, (await AppointAsync(member.Token, tenant.Domain, member.UserId)).Status);
        Assert.Equal(404, (await AppointAsync(admin, tenant.Domain, Guid.NewGuid())).Status);
        Assert.Equal(404, (await AppointAsync(admin, Guid.NewGuid(), next.UserId)).Status);
        Assert.Equal(200, (await AppointAsync(admin, tenant.Domain, next.UserId)).Status);
        Assert.Equal(422, (await AppointAsync(admin, tenant.Domain, member.UserId)).Status);
        Assert.Equal(200, (await _cube.SendAsync(HttpMethod.Patch, domain, next.Token, new { name = "Recovered" })).Status);
        await system.EngineAgreesAsync();
    }

    [Fact]
    public async Task A_member_who_is_appointed_changes_role_and_cannot_be_removed_as_the_last_administrator()
    {
        var (tenant, admin) = (await _cube.CreateTenantAsync(), (await _cube.LoginAsync()).Access);
        var member = await _cube.CreateMemberAsync(tenant, "member");
        await _cube.SendAsync(HttpMethod.Post, $"/users/{tenant.UserId}/disable", admin);
        Assert.Equal(200, (await AppointAsync(admin, tenant.Domain, member.UserId)).Status);
        var (_, domain) = await _cube.SendAsync(HttpMethod.Get, $"/domains/{tenant.Domain}", member.Token);
        Assert.Equal("admin", domain.GetProperty("role_name").GetString());
        var (status, body) = await _cube.SendAsync(HttpMethod.Delete, $"/domains/{tenant.Domain}/roles", member.Token, new { members = (Guid[])[member.UserId] });
        Assert.Equal((422, "last_administrator"), (status, DomainExtensions.CodeOf(body)));
    }

    [Fact]
    public async Task The_last_administrator_of_the_platform_cannot_be_disabled_or_deleted()
    {
        var admin = (await _cube.LoginAsync()).Access;
        var (_, profile) = await _cube.SendAsync(HttpMethod.Get, "/users/profile", admin);
        var path = $"/users/{profile.GetProperty("id").GetString()}";
        Assert.Equal(422, (await _cube.SendAsync(HttpMethod.Post, $"{path}/disable", admin)).Status);
        Assert.Equal(422, (await _cube.SendAsync(HttpMethod.Delete, path, admin)).Status);
    }

    [Fact]
    public async Task A_user_has_at_most_ten_domains_even_with_concurrent_requests()
    {
        var user = await _cube.CreateUserAsync();
        var answers = await Task.WhenAll(Enumerable.Range(0, 14).Select(i => CreateAsync(user.Token, $"{user.Name}-{i}")));
        Assert.Equal(10, answers.Count(static answer => answer.Status == 201));
        Assert.All(answers.Where(static answer => answer.Status != 201), static answer => Assert.Equal((422, "too_many_domains"), (answer.Status, answer.Code)));
        Assert.Equal(204, (await _cube.SendAsync(HttpMethod.Delete, $"/domains/{answers.First(static answer => answer.Status == 201).Id}", user.Token)).Status);
        Assert.Equal(201, (await CreateAsync(user.Token, $"{user.Name}-again")).Status);

        var admin = (await _cube.LoginAsync()).Access;
        for (var i = 0; i < 11; i++)
        {
            Assert.Equal(201, (await CreateAsync(admin, UserTests.NewName())).Status);
        }
    }

    [Fact]
    public async Task A_permanent_relationship_marks_deleted_domains_but_not_disabled_ones()
    {
        var (gone, closed) = (await _cube.CreateTenantAsync(), await _cube.CreateTenantAsync());
        Assert.Equal(200, (await _cube.SendAsync(HttpMethod.Post, $"/domains/{closed.Domain}/disable", closed.Token)).Status);
        Assert.Equal(204, (await _cube.SendAsync(HttpMethod.Delete, $"/domains/{gone.Domain}", gone.Token)).Status);
        var deleted = await new EngineClient(_cube.Authorization, _cube.EngineKey).ReadAsync(new { resourceType = "domain", optionalRelation = "deleted" });
        Assert.Contains($"domain:{gone.Domain}#deleted@platform:cube", deleted);
        Assert.DoesNotContain($"domain:{closed.Domain}#deleted@platform:cube", deleted);
        await system.EngineAgreesAsync();
    }

    private async Task<(int Status, string? Code)> AppointAsync(string token, Guid domain, Guid user)
    {
        var (status, body) = await _cube.SendAsync(HttpMethod.Put, $"/domains/{domain}/administrator", token, new { user_id = user });
        return (status, DomainExtensions.CodeOf(body));
    }

    private async Task<(int Status, string? Code, Guid? Id)> CreateAsync(string token, string route)
    {
        var (status, body) = await _cube.SendAsync(HttpMethod.Post, "/domains", token, new { name = "One of many", route });
        return (status, DomainExtensions.CodeOf(body), status == 201 ? body.GetProperty("id").GetGuid() : null);
    }
}
