using System.Diagnostics;
using System.Text.RegularExpressions;
using Cube.Tests.Systems;

namespace Cube.Tests.Functional.Identity;

/// <summary>Address verification and password reset, with e-mails written to files; the answers do not reveal whether an account exists.</summary>
public sealed partial class MailTests(MailSystem system, PostgresServer postgres) : IClassFixture<MailSystem>
{
    private readonly string _mails = system.Mails;
    private readonly CubeSystem _cube = system.Cube;

    [Fact]
    public async Task A_self_registered_user_logs_in_after_verification_and_is_no_administrator()
    {
        Assert.Equal(403, (await _cube.SendAsync(HttpMethod.Post, "/users", null, UserTests.Body(UserTests.NewName(), role: "admin"))).Status);
        Assert.Equal(403, (await _cube.SendAsync(HttpMethod.Post, "/users", null, UserTests.Body(UserTests.NewName(), status: "disabled"))).Status);

        var name = UserTests.NewName();
        var (status, user) = await _cube.SendAsync(HttpMethod.Post, "/users", null, UserTests.Body(name));
        Assert.Equal(201, status);
        Assert.Equal("user", user.GetProperty("role").GetString());
        Assert.False(user.TryGetProperty("verified_at", out _));
        Assert.Equal(401, await LoginAsync(name, "a good password"));

        var token = Link().Match(await MailAsync(user.GetProperty("email").GetString()!)).Groups["token"].Value;
        Assert.Equal(401, (await _cube.SendAsync(HttpMethod.Get, $"/verify-email?token={token}x", null)).Status);
        Assert.Equal(200, (await _cube.SendAsync(HttpMethod.Get, $"/verify-email?token={token}", null)).Status);
        Assert.Equal(401, (await _cube.SendAsync(HttpMethod.Get, $"/verify-email?token={token}", null)).Status);
        Assert.Equal(201, await LoginAsync(name, "a good password"));
    }

    [Fact]
    public async Task A_password_reset_works_once_and_ends_all_sessions()
    {
        var user = await _cube.CreateUserAsync();
        Assert.Equal(201, (await _cube.SendAsync(HttpMethod.Post, "/password/reset-request", null, new { email = $"{user.Name}@example.com" })).Status);
        var token = Bearer().Match(await MailAsync($"{user.Name}@example.com")).Groups["token"].Value;
        object Passwords(string one, string two) => new { password = one, confirm_password = two };
        Assert.Equal(400, (await _cube.SendAsync(HttpMethod.Put, "/password/reset", token, Passwords("short", "short"))).Status);
        Assert.Equal(400, (await _cube.SendAsync(HttpMethod.Put, "/password/reset", token, Passwords("another password", "yet another"))).Status);
        Assert.Equal(401, (await _cube.SendAsync(HttpMethod.Put, "/password/reset", user.Token, Passwords("another password", "another password"))).Status);
        Assert.Equal(401, (await _cube.SendAsync(HttpMethod.Put, "/password/reset", null, Passwords("another password", "another password"))).Status);
        Assert.Equal(201, (await _cube.SendAsync(HttpMethod.Put, "/password/reset", token, Passwords("another password", "another password"))).Status);
        Assert.Equal(401, (await _cube.SendAsync(HttpMethod.Put, "/password/reset", token, Passwords("third password", "third password"))).Status);
        Assert.Equal(401, (await _cube.SendAsync(HttpMethod.Get, "/users/profile", user.Token)).Status);
        Assert.Equal(401, (await _cube.SendAsync(HttpMethod.Post, "/users/tokens/refresh", user.Tokens.Refresh)).Status);
        Assert.Equal(401, await LoginAsync(user.Name, user.Password));
        Assert.Equal(201, await LoginAsync(user.Name, "another password"));
        Assert.DoesNotContain(token, _cube.Logs, StringComparison.Ordinal);
        Assert.DoesNotContain($"{user.Name}@example.com", _cube.Logs, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Neither_the_answer_nor_its_duration_reveals_whether_an_address_has_an_account()
    {
        var user = await _cube.CreateUserAsync();
        foreach (var path in (string[])["/password/reset-request", "/users/send-verification"])
        {
            var (known, unknown) = (new List<double>(), new List<double>());
            for (var i = 0; i < 20; i++)
            {
                var (first, one) = await TimedAsync(path, $"{user.Name}@example.com", known);
                var (second, two) = await TimedAsync(path, $"nobody{i}@example.com", unknown);
                Assert.Equal((first, one), (second, two));
            }

            // Compares the faster halves, to exclude other load of the machine.
            var (a, b) = (known.Order().Take(10).Average(), unknown.Order().Take(10).Average());
            Assert.True(Math.Abs(a - b) < 15, $"{path}: {a:F1} and {b:F1} ms");
        }

        async Task<(int, string)> TimedAsync(string path, string email, List<double> times)
        {
            var clock = Stopwatch.StartNew();
            var (status, body) = await _cube.SendAsync(HttpMethod.Post, path, null, new { email });
            times.Add(clock.Elapsed.TotalMilliseconds);
            return (status, body.GetRawText());
        }
    }

    [Fact]
    public async Task A_users_new_address_takes_effect_when_it_is_verified()
    {
        var (user, admin) = (await _cube.CreateUserAsync(), (await _cube.LoginAsync()).Access);
        var (status, same) = await _cube.SendAsync(HttpMethod.Patch, $"/users/{user.UserId}/email", user.Token, new { email = $"new-{user.Name}@example.com", password = user.Password });
        Assert.Equal((202, $"{user.Name}@example.com"), (status, same.GetProperty("email").GetString()));
        var token = Link().Match(await MailAsync($"new-{user.Name}@example.com")).Groups["token"].Value;
        Assert.Equal(200, (await _cube.SendAsync(HttpMethod.Get, $"/verify-email?token={token}", null)).Status);
        Assert.Equal($"new-{user.Name}@example.com", (await _cube.SendAsync(HttpMethod.Get, "/users/profile", user.Token)).Body.GetProperty("email").GetString());
        Assert.Contains("change of the e-mail address", await MailAsync($"{user.Name}@example.com", "A change of your address was requested"), StringComparison.Ordinal);
        Assert.Contains("was changed. E-mails about the account", await MailAsync($"{user.Name}@example.com", "Your address was changed"), StringComparison.Ordinal);
        if (!OperatingSystem.IsWindows())
        {
            foreach (var file in Directory.GetFiles(_mails))
            {
                Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(file));
            }

            Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute, File.GetUnixFileMode(_mails));
        }

        // A change by an administrator takes effect at once.
        var (changed, other) = await _cube.SendAsync(HttpMethod.Patch, $"/users/{user.UserId}/email", admin, new { email = $"third-{user.Name}@example.com" });
        Assert.Equal((200, $"third-{user.Name}@example.com"), (changed, other.GetProperty("email").GetString()));
    }

    [Fact]
    public async Task An_address_change_requires_the_password_and_a_password_change_cancels_it()
    {
        var (user, admin) = (await _cube.CreateUserAsync(), (await _cube.LoginAsync()).Access);
        var path = $"/users/{user.UserId}/email";
        foreach (var body in (object[])[new { email = "a@example.com" }, new { email = "a@example.com", password = "not this one" }, new { email = "a@example.com", password = (string?)null }])
        {
            Assert.Equal(400, (await _cube.SendAsync(HttpMethod.Patch, path, user.Token, body)).Status);
        }

        // An administrator's own address also requires the password, so that a stolen session cannot take over the platform.
        var (_, own) = await _cube.SendAsync(HttpMethod.Get, "/users/profile", admin);
        Assert.Equal(400, (await _cube.SendAsync(HttpMethod.Patch, $"/users/{own.GetProperty("id").GetString()}/email", admin, new { email = "b@example.com" })).Status);

        Assert.Equal(202, (await _cube.SendAsync(HttpMethod.Patch, path, user.Token, new { email = $"one-{user.Name}@example.com", password = user.Password })).Status);
        var pending = Link().Match(await MailAsync($"one-{user.Name}@example.com")).Groups["token"].Value;
        await _cube.SendAsync(HttpMethod.Post, "/password/reset-request", null, new { email = $"{user.Name}@example.com" });
        var recovery = Bearer().Match(await MailAsync($"{user.Name}@example.com", "Choose a new password")).Groups["token"].Value;
        Assert.Equal(200, (await _cube.SendAsync(HttpMethod.Patch, "/users/secret", user.Token, new { old_secret = user.Password, new_secret = "another password" })).Status);
        Assert.Equal(401, (await _cube.SendAsync(HttpMethod.Get, $"/verify-email?token={pending}", null)).Status);
        Assert.Equal(401, (await _cube.SendAsync(HttpMethod.Put, "/password/reset", recovery, new { password = "third password", confirm_password = "third password" })).Status);
    }

    [Fact]
    public async Task A_password_reset_cancels_a_pending_address_change_and_revokes_personal_access_tokens()
    {
        var user = await _cube.CreateUserAsync();
        var (_, secret) = await _cube.CreatePatAsync(user);
        Assert.Equal(200, (await _cube.SendAsync(HttpMethod.Get, "/users/tokens/introspect", secret)).Status);
        await _cube.SendAsync(HttpMethod.Patch, $"/users/{user.UserId}/email", user.Token, new { email = $"two-{user.Name}@example.com", password = user.Password });
        var pending = Link().Match(await MailAsync($"two-{user.Name}@example.com")).Groups["token"].Value;
        await _cube.SendAsync(HttpMethod.Post, "/password/reset-request", null, new { email = $"{user.Name}@example.com" });
        var recovery = Bearer().Match(await MailAsync($"{user.Name}@example.com", "Choose a new password")).Groups["token"].Value;
        Assert.Equal(201, (await _cube.SendAsync(HttpMethod.Put, "/password/reset", recovery, new { password = "another password", confirm_password = "another password" })).Status);
        Assert.Equal(401, (await _cube.SendAsync(HttpMethod.Get, $"/verify-email?token={pending}", null)).Status);
        Assert.Equal(401, (await _cube.SendAsync(HttpMethod.Get, "/users/tokens/introspect", secret)).Status);
        await _cube.LoginAsync($"{user.Name}@example.com", "another password");
    }

    [Fact]
    public async Task Mails_are_sent_to_the_configured_server()
    {
        await using var smtp = new SmtpTestServer();
        await using var cube = await CubeSystem.StartAsync(
            postgres, null,
            new KeyValuePair<string, string>("Mail__Host", "127.0.0.1"), new("Mail__Port", $"{smtp.Port}"), new("Mail__Security", "none"),
            new("Mail__From", "cube@example.com"), new("Mail__LinkBase", "https://cube.example.com"));
        Assert.Equal(201, (await cube.SendAsync(HttpMethod.Post, "/password/reset-request", null, new { email = CubeSystem.AdminEmail })).Status);
        await Eventually.TrueAsync(() => Task.FromResult(!smtp.Mails.IsEmpty), "a mail arrives", 10);
        var mail = Assert.Single(smtp.Mails);
        Assert.Contains($"To: {CubeSystem.AdminEmail}", mail, StringComparison.Ordinal);
        Assert.Contains("Choose a new password", mail, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_mail_server_without_STARTTLS_receives_no_mail_and_Identity_keeps_running()
    {
        await using var smtp = new SmtpTestServer();
        await using var cube = await CubeSystem.StartAsync(
            postgres, null,
            // The server has no STARTTLS: a mail with a token must not be sent in clear text.
            new KeyValuePair<string, string>("Mail__Host", "127.0.0.1"), new("Mail__Port", $"{smtp.Port}"), new("Mail__Security", "starttls"),
            new("Mail__From", "cube@example.com"), new("Mail__LinkBase", "https://cube.example.com"));
        Assert.Equal(201, (await cube.SendAsync(HttpMethod.Post, "/password/reset-request", null, new { email = CubeSystem.AdminEmail })).Status);
        await Eventually.TrueAsync(() => Task.FromResult(cube.Logs.Contains("Failed to send an e-mail of kind PasswordReset", StringComparison.Ordinal)), "it is logged", 40);
        Assert.Empty(smtp.Mails);
        await cube.LoginAsync();
    }

    private async Task<int> LoginAsync(string name, string password) =>
        (await _cube.SendAsync(HttpMethod.Post, "/users/tokens/issue", null, new { username = name, password })).Status;

    private async Task<string> MailAsync(string to, string subject = "")
    {
        var text = "";
        await Eventually.TrueAsync(async () =>
        {
            foreach (var file in Directory.GetFiles(_mails, "*.eml"))
            {
                var mail = await File.ReadAllTextAsync(file);
                if (mail.Contains($"To: {to}", StringComparison.OrdinalIgnoreCase) && mail.Contains(subject, StringComparison.Ordinal))
                {
                    // Quoted-printable encoding can fold long lines.
                    text = mail.Replace("=\r\n", "", StringComparison.Ordinal).Replace("=\n", "", StringComparison.Ordinal).Replace("=3D", "=", StringComparison.Ordinal);
                }
            }

            return text.Length > 0;
        }, $"a mail to {to}", 10);
        return text;
    }

    [GeneratedRegex("verify-email\\?token=(?<token>[A-Za-z0-9_-]{43})")]
    private static partial Regex Link();

    [GeneratedRegex("Bearer (?<token>[A-Za-z0-9_-]{43})")]
    private static partial Regex Bearer();
}

[Collection(GuideCollectionDefinition.Name)]
public sealed class NoMailTests(GuideSystem system)
{
    [Fact]
    public async Task Without_a_mail_server_a_request_for_mail_is_a_503()
    {
        var (status, body) = await system.Cube.SendAsync(HttpMethod.Post, "/password/reset-request", null, new { email = CubeSystem.AdminEmail });
        Assert.Equal((503, "mail_not_configured"), (status, body.GetProperty("error").GetString()));
    }
}
