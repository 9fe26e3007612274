using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text.Json;
using Cube.Tests.Systems;

namespace Cube.Tests.Functional.Identity;

[Collection(GuideCollectionDefinition.Name)]
public sealed class TokenTests(GuideSystem system)
{
    private readonly CubeSystem _cube = system.Cube;

    [Fact]
    public async Task A_login_by_user_name_or_email_address_returns_both_tokens()
    {
        var user = await _cube.CreateUserAsync();
        foreach (var name in (string[])[user.Name, $"{user.Name}@EXAMPLE.com"])
        {
            var (status, body) = await _cube.SendAsync(HttpMethod.Post, "/users/tokens/issue", null, new { username = name, password = user.Password });
            Assert.Equal(201, status);
            Assert.Equal("Bearer", body.GetProperty("access_type").GetString());
            Assert.Equal(3, body.GetProperty("access_token").GetString()!.Split('.').Length);
            Assert.NotEqual(body.GetProperty("access_token").GetString(), body.GetProperty("refresh_token").GetString());
        }
    }

    [Fact]
    [Trait("Conformance", "AU-10")]
    public async Task An_unknown_user_and_a_wrong_password_receive_the_same_answer()
    {
        var user = await _cube.CreateUserAsync();
        var wrong = await _cube.SendAsync(HttpMethod.Post, "/users/tokens/issue", null, new { username = user.Name, password = "not this one" });
        var unknown = await _cube.SendAsync(HttpMethod.Post, "/users/tokens/issue", null, new { username = "nobody-has-this", password = "not this one" });
        Assert.Equal(401, wrong.Status);
        Assert.Equal(401, unknown.Status);
        Assert.Equal(wrong.Body.GetRawText(), unknown.Body.GetRawText());
    }

    [Fact]
    [Trait("Conformance", "AU-10")]
    public async Task An_unknown_user_and_a_wrong_password_take_the_same_time()
    {
        var user = await _cube.CreateUserAsync();
        var (known, unknown) = (new List<double>(), new List<double>());
        for (var i = 0; i < 8; i++)
        {
            known.Add(await TimeAsync(user.Name));
            unknown.Add(await TimeAsync($"nobody-{i}"));
        }

        // Compares the faster halves, to exclude other load of the machine. Without the work for unknown users the ratio would be about one third.
        var (a, b) = (known.Order().Take(4).Average(), unknown.Order().Take(4).Average());
        Assert.InRange(b / a, 0.6, 1.6);

        async Task<double> TimeAsync(string name)
        {
            var clock = System.Diagnostics.Stopwatch.StartNew();
            Assert.Equal(401, (await _cube.SendAsync(HttpMethod.Post, "/users/tokens/issue", null, new { username = name, password = "a wrong password" })).Status);
            return clock.Elapsed.TotalMilliseconds;
        }
    }

    [Theory]
    [InlineData("{", 400)]
    [InlineData("null", 400)]
    [InlineData("{}", 400)]
    [InlineData("""{"username":"","password":"x"}""", 400)]
    [InlineData("""{"username":1,"password":"x"}""", 400)]
    [InlineData("""{"username":"a\u0000b","password":"x"}""", 400)]
    public async Task A_malformed_login_is_answered_with_400_and_a_management_error(string body, int expected)
    {
        using var content = new StringContent(body, new MediaTypeHeaderValue("application/json"));
        var (status, answer) = await _cube.SendAsync(HttpMethod.Post, "/users/tokens/issue", null, content);
        Assert.Equal(expected, status);
        Assert.Equal(["error", "message"], answer.EnumerateObject().Select(static member => member.Name));
    }

    [Fact]
    public async Task A_login_that_is_not_json_is_answered_with_415()
    {
        using var content = new StringContent("username=a&password=b", new MediaTypeHeaderValue("application/x-www-form-urlencoded"));
        Assert.Equal(415, (await _cube.SendAsync(HttpMethod.Post, "/users/tokens/issue", null, content)).Status);
    }

    [Fact]
    public async Task A_refresh_token_is_read_from_the_authorization_header_or_else_from_the_body()
    {
        var user = await _cube.CreateUserAsync();
        var (status, first) = await _cube.SendAsync(HttpMethod.Post, "/users/tokens/refresh", user.Tokens.Refresh);
        Assert.Equal(201, status);
        (status, _) = await _cube.SendAsync(
            HttpMethod.Post, "/users/tokens/refresh", null, new { token = first.GetProperty("refresh_token").GetString() });
        Assert.Equal(201, status);
    }

    [Fact]
    public async Task With_an_authorization_header_the_body_is_ignored()
    {
        var user = await _cube.CreateUserAsync();
        using var nonsense = new StringContent("{ not json", new MediaTypeHeaderValue("text/plain"));
        Assert.Equal(201, (await _cube.SendAsync(HttpMethod.Post, "/users/tokens/refresh", user.Tokens.Refresh, nonsense)).Status);

        var other = await _cube.CreateUserAsync();
        Assert.Equal(401, (await _cube.SendAsync(HttpMethod.Post, "/users/tokens/refresh", "nonsense", new { token = other.Tokens.Refresh })).Status);
    }

    [Fact]
    [Trait("Conformance", "AU-06")]
    public async Task A_reused_refresh_token_revokes_its_whole_family()
    {
        var user = await _cube.CreateUserAsync();
        var (_, second) = await _cube.SendAsync(HttpMethod.Post, "/users/tokens/refresh", user.Tokens.Refresh);
        var current = second.GetProperty("refresh_token").GetString();

        Assert.Equal(401, (await _cube.SendAsync(HttpMethod.Post, "/users/tokens/refresh", user.Tokens.Refresh)).Status);

        Assert.Equal(401, (await _cube.SendAsync(HttpMethod.Post, "/users/tokens/refresh", current)).Status);
        Assert.Equal(401, (await _cube.SendAsync(HttpMethod.Get, "/users/profile", second.GetProperty("access_token").GetString())).Status);
    }

    [Fact]
    public async Task Of_concurrent_refreshes_with_one_token_at_most_one_succeeds()
    {
        var user = await _cube.CreateUserAsync();
        var answers = await Task.WhenAll(Enumerable.Range(0, 10).Select(_ => _cube.SendAsync(HttpMethod.Post, "/users/tokens/refresh", user.Tokens.Refresh)));
        Assert.True(answers.Count(static answer => answer.Status == 201) <= 1);
        Assert.All(answers, static answer => Assert.Contains(answer.Status, (int[])[201, 401]));
    }

    [Fact]
    [Trait("Conformance", "AU-03")]
    public async Task An_access_token_cannot_refresh_and_a_refresh_token_gives_no_access()
    {
        var user = await _cube.CreateUserAsync();
        Assert.Equal(401, (await _cube.SendAsync(HttpMethod.Post, "/users/tokens/refresh", user.Tokens.Access)).Status);
        Assert.Equal(401, (await _cube.SendAsync(HttpMethod.Get, "/users/profile", user.Tokens.Refresh)).Status);
    }

    [Fact]
    public async Task A_revocation_without_a_body_ends_only_the_callers_session()
    {
        var user = await _cube.CreateUserAsync();
        var other = await _cube.LoginAsync(user.Name, user.Password);

        Assert.Equal(204, (await _cube.SendAsync(HttpMethod.Post, "/users/tokens/revoke", user.Tokens.Access)).Status);

        Assert.Equal(401, (await _cube.SendAsync(HttpMethod.Get, "/users/profile", user.Tokens.Access)).Status);
        Assert.Equal(401, (await _cube.SendAsync(HttpMethod.Post, "/users/tokens/refresh", user.Tokens.Refresh)).Status);
        Assert.Equal(200, (await _cube.SendAsync(HttpMethod.Get, "/users/profile", other.Access)).Status);
    }

    [Fact]
    public async Task The_list_of_refresh_tokens_contains_only_the_callers_sessions()
    {
        var user = await _cube.CreateUserAsync();
        await _cube.SendAsync(HttpMethod.Post, "/users/tokens/issue", null, new { username = user.Name, password = user.Password, description = "laptop" });
        var (_, list) = await _cube.SendAsync(HttpMethod.Get, "/users/tokens/refresh-tokens", user.Token);
        var entries = list.GetProperty("refresh_tokens").EnumerateArray().ToList();
        Assert.Equal(2, entries.Count);
        var laptop = entries.Single(static entry => entry.GetProperty("description").GetString() == "laptop").GetProperty("id").GetString();

        var stranger = await _cube.CreateUserAsync();
        Assert.Equal(404, (await _cube.SendAsync(HttpMethod.Post, "/users/tokens/revoke", stranger.Token, new { token_id = laptop })).Status);
        Assert.Equal(204, (await _cube.SendAsync(HttpMethod.Post, "/users/tokens/revoke", user.Token, new { token_id = laptop })).Status);
        (_, list) = await _cube.SendAsync(HttpMethod.Get, "/users/tokens/refresh-tokens", user.Token);
        Assert.Single(list.GetProperty("refresh_tokens").EnumerateArray());
    }

    [Fact]
    public async Task The_tenth_failed_login_within_a_minute_is_throttled_for_its_client_address_only()
    {
        var user = await _cube.CreateUserAsync();
        for (var i = 1; i <= 9; i++)
        {
            Assert.Equal(401, (await LoginFromAsync("10.1.1.1", user.Name, "wrong")).Status);
        }

        var tenth = await LoginFromAsync("10.1.1.1", user.Name, "wrong");
        Assert.Equal(429, tenth.Status);
        Assert.InRange(tenth.RetryAfter, 1, 60);
        Assert.Equal(429, (await LoginFromAsync("10.1.1.1", user.Name, user.Password)).Status);
        Assert.Equal(201, (await LoginFromAsync("10.2.2.2", user.Name, user.Password)).Status);
    }

    [Fact]
    public async Task User_name_e_mail_address_and_old_password_share_one_counter()
    {
        var user = await _cube.CreateUserAsync();
        for (var i = 1; i <= 9; i++)
        {
            Assert.Equal(401, (await LoginFromAsync("10.5.5.5", i % 2 == 0 ? user.Name : $"{user.Name}@example.com", "wrong")).Status);
        }

        Assert.Equal(429, (await LoginFromAsync("10.5.5.5", user.Name, "wrong")).Status);
        Assert.Equal(429, (await LoginFromAsync("10.5.5.5", $"{user.Name}@example.com", user.Password)).Status);

        for (var i = 1; i <= 10; i++)
        {
            Assert.Equal(400, (await _cube.SendAsync(HttpMethod.Patch, "/users/secret", user.Token, new { old_secret = "wrong", new_secret = "another password" })).Status);
        }

        Assert.Equal(429, (await _cube.SendAsync(HttpMethod.Patch, "/users/secret", user.Token, new { old_secret = user.Password, new_secret = "another password" })).Status);
    }

    [Fact]
    public async Task A_flood_of_unknown_names_does_not_affect_other_addresses()
    {
        var user = await _cube.CreateUserAsync();
        var flood = Task.WhenAll(Enumerable.Range(0, 60).Select(async connection =>
        {
            var statuses = new List<int>();
            for (var i = 0; i < 6; i++)
            {
                statuses.Add((await LoginFromAsync("10.6.6.6", $"unknown-{connection}-{i}", "wrong")).Status);
            }

            return statuses;
        }));
        await Task.Delay(500);
        var clock = System.Diagnostics.Stopwatch.StartNew();
        Assert.Equal(201, (await LoginFromAsync("10.7.7.7", user.Name, user.Password)).Status);
        Assert.True(clock.Elapsed < TimeSpan.FromSeconds(4), $"{clock.Elapsed}");
        var statuses = (await flood).SelectMany(static one => one).ToArray();
        Assert.All(statuses, static status => Assert.True(status is 401 or 429, $"{status}"));
        // One hundred failures per minute, and the attempts that were in progress.
        Assert.InRange(statuses.Count(static status => status == 401), 1, 100 + Environment.ProcessorCount);
        var (last, retryAfter) = await LoginFromAsync("10.6.6.6", user.Name, user.Password);
        Assert.True(last == 201 || retryAfter is >= 1 and <= 60, $"{last} {retryAfter}");
    }

    [Fact]
    public async Task A_burst_of_guesses_cannot_pass_before_its_failures_are_counted()
    {
        var user = await _cube.CreateUserAsync();
        var answers = await Task.WhenAll(Enumerable.Range(0, 30).Select(_ => LoginFromAsync("10.3.3.3", user.Name, "wrong")));
        Assert.Equal(9, answers.Count(static answer => answer.Status == 401));
        Assert.Equal(21, answers.Count(static answer => answer.Status == 429));
    }

    [Fact]
    public async Task A_client_of_the_proxy_cannot_choose_the_address_that_its_failures_count_for()
    {
        var user = await _cube.CreateUserAsync();
        var statuses = new List<int>();
        for (var i = 1; i <= 10; i++)
        {
            statuses.Add((await LoginFromAsync($"10.4.4.{i}", user.Name, "wrong", _cube.Proxy)).Status);
        }

        Assert.Equal(429, statuses[^1]);
    }

    [Fact]
    public async Task Public_keys_are_published_with_all_required_members_and_no_private_part()
    {
        var (status, body) = await _cube.SendAsync(HttpMethod.Get, "/keys/.well-known/jwks.json", null);
        Assert.Equal(200, status);
        var key = body.GetProperty("keys").EnumerateArray().First();
        Assert.Equal(["kty", "crv", "x", "y", "use", "alg", "kid"], key.EnumerateObject().Select(static member => member.Name));
    }

    private async Task<(int Status, int RetryAfter)> LoginFromAsync(string address, string name, string password, Uri? through = null)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, new Uri(through ?? _cube.Identity, "/users/tokens/issue"))
        {
            Content = JsonContent.Create(new { username = name, password }),
        };
        request.Headers.Add("X-Forwarded-For", address);
        using var response = await _cube.Http.SendAsync(request);
        return ((int)response.StatusCode, (int)(response.Headers.RetryAfter?.Delta?.TotalSeconds ?? 0));
    }
}
