using System.Net.Http.Headers;
using Cube.Tests.Systems;
using Npgsql;

namespace Cube.Tests.Functional.Proxy;

/// <summary>A caller reaches only domains of which the caller is a member, on every path.</summary>
[Collection(FakeBackendCollectionDefinition.Name)]
public sealed class TenantIsolationTests(FakeBackendSystem system)
{
    private readonly CubeSystem _cube = system.Reset();

    public static readonly object Chat = new { model = "m", messages = (object[])[new { role = "user", content = "hi" }] };
    public static readonly object StreamedChat = new { model = "m", stream = true, messages = (object[])[new { role = "user", content = "hi" }] };

    [Fact]
    [Trait("Conformance", "TN-01"), Trait("Conformance", "EM-06")]
    public async Task A_foreign_and_an_unknown_domain_receive_the_same_403_on_every_path()
    {
        var (mine, foreign) = (await _cube.CreateTenantAsync(), await _cube.CreateTenantAsync());
        var before = system.Backend.Requests.Count;
        foreach (var (method, path) in new (HttpMethod, string)[]
        {
            (HttpMethod.Get, "/v1/models"), (HttpMethod.Get, "/v1/models/m"), (HttpMethod.Post, "/v1/chat/completions"), (HttpMethod.Post, "/v1/completions"),
            (HttpMethod.Post, "/v1/embeddings"), (HttpMethod.Get, "/v1/nope"), (HttpMethod.Put, "/v1/models"), (HttpMethod.Get, "/audit/_search"), (HttpMethod.Get, ""),
        })
        {
            foreach (var prefix in (string[])["/proxy", ""])
            {
                var body = method == HttpMethod.Post ? Chat : null;
                var theirs = await _cube.SendAsync(method, $"{prefix}/{foreign.Domain}{path}", mine.Token, body);
                var random = await _cube.SendAsync(method, $"{prefix}/{Guid.NewGuid()}{path}", mine.Token, body);
                Assert.Equal(403, theirs.Status);
                Assert.Equal(403, random.Status);
                Assert.Equal(theirs.Body.GetRawText(), random.Body.GetRawText());
                Assert.Equal("permission_denied", theirs.Body.GetProperty("error").GetProperty("code").GetString());
            }
        }

        Assert.Equal(before, system.Backend.Requests.Count);
    }

    [Fact]
    public async Task A_platform_administrator_without_membership_is_answered_with_403()
    {
        var tenant = await _cube.CreateTenantAsync();
        var admin = await _cube.LoginAsync();
        Assert.Equal(403, (await _cube.SendAsync(HttpMethod.Post, $"{tenant.Api}/chat/completions", admin.Access, Chat)).Status);
    }

    [Theory]
    [InlineData("X-Domain-Id")]
    [InlineData("X-Original-URL")]
    [InlineData("X-Rewrite-URL")]
    [InlineData("X-Forwarded-Prefix")]
    [InlineData("X-HTTP-Method-Override")]
    [InlineData("X-Guardrails-Request")]
    [Trait("Conformance", "TN-03")]
    public async Task No_header_gives_access_to_another_domain(string header)
    {
        var (mine, foreign) = (await _cube.CreateTenantAsync(), await _cube.CreateTenantAsync());
        using var request = new HttpRequestMessage(HttpMethod.Get, $"{foreign.Api}/models");
        request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", mine.Token);
        request.Headers.TryAddWithoutValidation(header, header == "X-Domain-Id" ? mine.Domain.ToString() : $"{mine.Api}/models");
        using var response = await _cube.Http.SendAsync(request);
        Assert.Equal(403, (int)response.StatusCode);
    }

    [Fact]
    [Trait("Conformance", "AU-08")]
    public async Task Removed_members_and_ended_sessions_are_rejected_within_five_seconds()
    {
        var (tenant, user) = (await _cube.CreateTenantAsync(), await _cube.CreateUserAsync());
        var (_, domain) = await _cube.SendAsync(HttpMethod.Get, $"/domains/{tenant.Domain}?roles=true", tenant.Token);
        var role = domain.GetProperty("roles").EnumerateArray().Single(static role => role.GetProperty("name").GetString() == "member").GetProperty("id").GetString();
        var path = $"/domains/{tenant.Domain}/roles/{role}/members";
        var members = new { members = (Guid[])[user.UserId] };
        Assert.Equal(403, await StatusAsync(user.Token));

        await _cube.SendAsync(HttpMethod.Post, path, tenant.Token, members);
        await Eventually.TrueAsync(async () => await StatusAsync(user.Token) == 200, "the member is let in", 5);
        await _cube.SendAsync(HttpMethod.Post, $"{path}/delete", tenant.Token, members);
        await Eventually.TrueAsync(async () => await StatusAsync(user.Token) == 403, "the removed member is refused", 5);

        Assert.Equal(200, await StatusAsync(tenant.Token));
        await _cube.SendAsync(HttpMethod.Post, "/users/tokens/revoke", tenant.Token);
        await Eventually.TrueAsync(async () => await StatusAsync(tenant.Token) == 401, "the ended session is refused", 5);

        async Task<int> StatusAsync(string token) => (await _cube.SendAsync(HttpMethod.Post, $"{tenant.Api}/chat/completions", token, Chat)).Status;
    }

    [Fact]
    [Trait("Conformance", "AU-08")]
    public async Task Disabled_domains_and_users_are_rejected_within_five_seconds()
    {
        var tenant = await _cube.CreateTenantAsync();
        Assert.Equal((200, null), await AskAsync());
        await ExecuteAsync("update domains set status = 'disabled' where id = $1", tenant.Domain);
        await Eventually.TrueAsync(async () => await AskAsync() == (403, "domain_disabled"), "the domain is closed", 5);
        await ExecuteAsync("update users set status = 'disabled' where id = $1", tenant.UserId);
        await Eventually.TrueAsync(async () => await AskAsync() == (401, "invalid_api_key"), "the user is refused", 5);
        Assert.Equal(401, (await _cube.SendAsync(HttpMethod.Post, "/users/tokens/refresh", tenant.Tokens.Refresh)).Status);
        Assert.Equal(401, (await _cube.SendAsync(
            HttpMethod.Post, "/users/tokens/issue", null, new { username = tenant.Name, password = tenant.Password })).Status);

        async Task<(int, string?)> AskAsync()
        {
            var (status, body) = await _cube.SendAsync(HttpMethod.Post, $"{tenant.Api}/chat/completions", tenant.Token, Chat);
            return (status, body.TryGetProperty("error", out var error) ? error.GetProperty("code").GetString() : null);
        }

        async Task ExecuteAsync(string sql, Guid id)
        {
            await using var source = NpgsqlDataSource.Create($"{_cube.Database};Pooling=false");
            await using var command = source.CreateCommand(sql);
            command.Parameters.AddWithValue(id);
            Assert.Equal(1, await command.ExecuteNonQueryAsync());
        }
    }

    [Fact]
    [Trait("Conformance", "TN-09")]
    public async Task Client_headers_that_identify_the_user_or_control_the_backend_are_removed()
    {
        var tenant = await _cube.CreateTenantAsync();
        using var request = new HttpRequestMessage(HttpMethod.Post, $"{tenant.Api}/chat/completions?user=me")
        {
            Content = new StringContent("""{"model":"m","seed":9007199254740993,"x_foo":{"a":1.10},"messages":[{"role":"user","content":"hi"}]}""", new MediaTypeHeaderValue("application/json")),
        };
        request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", tenant.Token);
        foreach (var name in (string[])["Cookie", "X-Stainless-Lang", "OpenAI-Organization", "X-Request-Id", "X-data-parallel-rank", "X-Forwarded-For", "X-Forwarded-Host", "Baggage", "User-Agent", "Accept-Language"])
        {
            request.Headers.TryAddWithoutValidation(name, "mark-of-the-client");
        }

        using var response = await _cube.Http.SendAsync(request);
        Assert.Equal(200, (int)response.StatusCode);

        var received = system.Backend.Requests.Last(static received => received.Target == "/v1/chat/completions");
        // The proxy drops unknown members and reports them. Numbers that it forwards keep all digits.
        Assert.StartsWith("""{"model":"m","seed":9007199254740993,"messages":[{"role":"user","content":"hi"}],"cache_salt":""", received.Body, StringComparison.Ordinal);
        Assert.Equal("x_foo", response.Headers.GetValues("x-cube-ignored").Single());
        Assert.DoesNotContain(received.Headers, static header => header.Value.Contains("mark-of-the-client", StringComparison.Ordinal));
        Assert.DoesNotContain("Authorization", received.Headers.Keys);
        string[] allowed = ["Host", "Content-Type", "Content-Length", "Traceparent", "Tracestate", "Connection"];
        Assert.All(received.Headers.Keys, name => Assert.Contains(name, allowed, StringComparer.OrdinalIgnoreCase));
    }

    [Fact]
    [Trait("Conformance", "TN-10")]
    public async Task The_request_id_of_a_client_never_replaces_the_one_of_the_proxy()
    {
        var tenant = await _cube.CreateTenantAsync();
        using var request = new HttpRequestMessage(HttpMethod.Get, $"{tenant.Api}/models");
        request.Headers.TryAddWithoutValidation("x-request-id", new string('a', 4000));
        using var response = await _cube.Http.SendAsync(request);
        var id = response.Headers.GetValues("x-request-id").Single();
        Assert.Matches("^req_[0-9a-f]{32}$", id);
    }
}
