using Cube.Tests.Systems;

namespace Cube.Tests.Functional.Identity;

public abstract class InvitationTests(AuthorizationSystem system)
{
    private readonly CubeSystem _cube = system.Cube;

    [Fact]
    public async Task A_user_who_accepts_an_invitation_becomes_a_member_with_the_invited_role()
    {
        var (tenant, guest) = (await _cube.CreateTenantAsync(), await _cube.CreateUserAsync());
        var role = await _cube.RoleIdAsync(tenant, "member");
        var path = $"/domains/{tenant.Domain}/invitations";
        var (status, sent) = await _cube.SendAsync(HttpMethod.Post, path, tenant.Token, new { invitee_user_id = guest.UserId, role_id = role });
        Assert.Equal(201, status);
        Assert.Equal(("member", tenant.UserId), (sent.GetProperty("role_name").GetString(), sent.GetProperty("invited_by").GetGuid()));
        Assert.Equal(409, (await _cube.SendAsync(HttpMethod.Post, path, tenant.Token, new { invitee_user_id = guest.UserId, role_id = role })).Status);
        Assert.Equal(201, (await _cube.SendAsync(HttpMethod.Post, path, tenant.Token, new { invitee_user_id = guest.UserId, role_id = role, resend = true })).Status);
        Assert.Equal(403, (await _cube.ChatAsync(tenant.Domain, guest.Token)).Status);

        var (_, received) = await _cube.SendAsync(HttpMethod.Get, "/invitations?state=pending", guest.Token);
        Assert.Equal(tenant.Domain, Assert.Single(received.GetProperty("invitations").EnumerateArray()).GetProperty("domain_id").GetGuid());
        Assert.Equal(204, (await _cube.SendAsync(HttpMethod.Post, "/invitations/accept", guest.Token, new { domain_id = tenant.Domain })).Status);
        await Eventually.TrueAsync(async () => (await _cube.ChatAsync(tenant.Domain, guest.Token)).Status == 200, "the new member can chat", 5);
        Assert.Equal(409, (await _cube.SendAsync(HttpMethod.Post, "/invitations/accept", guest.Token, new { domain_id = tenant.Domain })).Status);
        Assert.Equal(409, (await _cube.SendAsync(HttpMethod.Post, "/invitations/reject", guest.Token, new { domain_id = tenant.Domain })).Status);
        Assert.Equal(409, (await _cube.SendAsync(HttpMethod.Post, path, tenant.Token, new { invitee_user_id = guest.UserId, role_id = role, resend = true })).Status);
        Assert.Equal(1, (await _cube.SendAsync(HttpMethod.Get, $"{path}?state=accepted", tenant.Token)).Body.GetProperty("total").GetInt32());
        Assert.Equal(0, (await _cube.SendAsync(HttpMethod.Get, $"{path}?state=pending", tenant.Token)).Body.GetProperty("total").GetInt32());
        await system.EngineAgreesAsync();
    }

    [Fact]
    public async Task A_user_cannot_answer_the_invitation_of_another_user()
    {
        var (tenant, guest, stranger) = (await _cube.CreateTenantAsync(), await _cube.CreateUserAsync(), await _cube.CreateUserAsync());
        await InviteAsync(tenant, guest, "member");
        foreach (var answer in (string[])["accept", "reject"])
        {
            Assert.Equal(404, (await _cube.SendAsync(HttpMethod.Post, $"/invitations/{answer}", stranger.Token, new { domain_id = tenant.Domain })).Status);
            Assert.Equal(404, (await _cube.SendAsync(HttpMethod.Post, $"/invitations/{answer}", guest.Token, new { domain_id = Guid.NewGuid() })).Status);
            Assert.Equal(400, (await _cube.SendAsync(HttpMethod.Post, $"/invitations/{answer}", guest.Token, new { })).Status);
        }

        Assert.Equal(403, (await _cube.SendAsync(HttpMethod.Post, $"/domains/{tenant.Domain}/invitations", guest.Token, new { invitee_user_id = stranger.UserId, role_id = "x" })).Status);
        Assert.Equal(403, (await _cube.SendAsync(HttpMethod.Delete, $"/domains/{tenant.Domain}/invitations", stranger.Token, new { user_id = guest.UserId })).Status);
    }

    [Fact]
    public async Task A_rejected_or_deleted_invitation_gives_no_access_and_can_be_sent_again()
    {
        var (tenant, guest) = (await _cube.CreateTenantAsync(), await _cube.CreateUserAsync());
        await InviteAsync(tenant, guest, "member");
        Assert.Equal(204, (await _cube.SendAsync(HttpMethod.Post, "/invitations/reject", guest.Token, new { domain_id = tenant.Domain })).Status);
        Assert.Equal(409, (await _cube.SendAsync(HttpMethod.Post, "/invitations/accept", guest.Token, new { domain_id = tenant.Domain })).Status);
        await InviteAsync(tenant, guest, "auditor");
        Assert.Equal(204, (await _cube.SendAsync(HttpMethod.Delete, $"/domains/{tenant.Domain}/invitations", tenant.Token, new { user_id = guest.UserId })).Status);
        Assert.Equal(404, (await _cube.SendAsync(HttpMethod.Delete, $"/domains/{tenant.Domain}/invitations", tenant.Token, new { user_id = guest.UserId })).Status);
        Assert.Equal(404, (await _cube.SendAsync(HttpMethod.Post, "/invitations/accept", guest.Token, new { domain_id = tenant.Domain })).Status);
        Assert.Equal(403, (await _cube.ChatAsync(tenant.Domain, guest.Token)).Status);
        Assert.Equal(404, (await _cube.SendAsync(
            HttpMethod.Post, $"/domains/{tenant.Domain}/invitations", tenant.Token, new { invitee_user_id = Guid.NewGuid(), role_id = await _cube.RoleIdAsync(tenant, "member") })).Status);
    }

    private async Task InviteAsync(Tenant tenant, Tenant guest, string role) => Assert.Equal(201, (await _cube.SendAsync(
        HttpMethod.Post, $"/domains/{tenant.Domain}/invitations", tenant.Token, new { invitee_user_id = guest.UserId, role_id = await _cube.RoleIdAsync(tenant, role) })).Status);
}

[Collection(EmbeddedEngineCollectionDefinition.Name)]
public sealed class EmbeddedInvitationTests(EmbeddedEngineSystem system) : InvitationTests(system);

[Collection(SpiceDbCollectionDefinition.Name)]
public sealed class SpiceDbInvitationTests(SpiceDbSystem system) : InvitationTests(system);
