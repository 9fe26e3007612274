using Cube.Tests.Systems;

namespace Cube.Tests.Functional.Identity;

[Collection(GuideCollectionDefinition.Name)]
public sealed class UserTests(GuideSystem system)
{
    private readonly CubeSystem _cube = system.Cube;

    internal static object Body(string name, object? role = null, string secret = "a good password", string? email = null, object? status = null) => new
    {
        first_name = "Ada",
        last_name = "Test",
        email = email ?? $"{name}@example.com",
        credentials = new { username = name, secret },
        tags = (string[])["a"],
        metadata = new { team = "x" },
        role,
        status,
    };

    internal static string NewName() => $"u{Guid.NewGuid():N}"[..20];

    [Fact]
    public async Task An_administrator_creates_a_verified_user_and_the_response_contains_no_password()
    {
        var name = NewName();
        var admin = await _cube.LoginAsync();
        using var response = await _cube.SendRawAsync(HttpMethod.Post, "/users", admin.Access, Body(name));
        Assert.Equal(201, (int)response.StatusCode);
        var text = await response.Content.ReadAsStringAsync();
        var user = System.Text.Json.JsonElement.Parse(text);
        Assert.Equal($"/users/{user.GetProperty("id").GetString()}", response.Headers.Location!.ToString());
        Assert.Equal(name, user.GetProperty("credentials").GetProperty("username").GetString());
        Assert.Equal("user", user.GetProperty("role").GetString());
        Assert.True(user.TryGetProperty("verified_at", out _));
        Assert.DoesNotContain("a good password", text, StringComparison.Ordinal);
        Assert.DoesNotContain("hash", text, StringComparison.Ordinal);

        var tokens = await _cube.LoginAsync(name, "a good password");
        var (status, profile) = await _cube.SendAsync(HttpMethod.Get, "/users/profile", tokens.Access);
        Assert.Equal(200, status);
        Assert.Equal("x", profile.GetProperty("metadata").GetProperty("team").GetString());
    }

    [Fact]
    public async Task Only_an_administrator_creates_users_when_self_registration_is_off()
    {
        var user = await _cube.CreateUserAsync();
        Assert.Equal(401, (await _cube.SendAsync(HttpMethod.Post, "/users", null, Body(NewName()))).Status);
        Assert.Equal(403, (await _cube.SendAsync(HttpMethod.Post, "/users", user.Token, Body(NewName()))).Status);
        Assert.Equal(401, (await _cube.SendAsync(HttpMethod.Post, "/users", user.Tokens.Refresh, Body(NewName()))).Status);
    }

    [Theory]
    [InlineData("_a", "a good password", "a@example.com", null)]
    [InlineData("a__b", "a good password", "a@example.com", null)]
    [InlineData("a@b", "a good password", "a@example.com", null)]
    [InlineData("ab\n", "a good password", "a@example.com", null)]
    [InlineData("abc", "short", "a@example.com", null)]
    [InlineData("abc", "a good password", "no address", null)]
    [InlineData("abc", "a good password", "Ada <a@example.com>", null)]
    [InlineData("abc", "a good password", "a@example.com", "root")]
    public async Task An_invalid_user_is_answered_with_400(string name, string secret, string email, string? role)
    {
        var admin = await _cube.LoginAsync();
        var (status, body) = await _cube.SendAsync(HttpMethod.Post, "/users", admin.Access, Body(name, role, secret, email));
        Assert.Equal(400, status);
        Assert.Equal("invalid_request", body.GetProperty("error").GetString());
    }

    [Fact]
    public async Task A_name_or_address_in_use_is_answered_with_409_regardless_of_case()
    {
        var user = await _cube.CreateUserAsync();
        var admin = await _cube.LoginAsync();
        Assert.Equal(409, (await _cube.SendAsync(HttpMethod.Post, "/users", admin.Access, Body(user.Name.ToUpperInvariant(), email: "other@example.com"))).Status);
        Assert.Equal(409, (await _cube.SendAsync(HttpMethod.Post, "/users", admin.Access, Body(NewName(), email: $"{user.Name}@EXAMPLE.com"))).Status);
    }
}
