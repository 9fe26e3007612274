using System.Text.Json;
using Cube.Tests.Systems;
using Npgsql;

namespace Cube.Tests.Functional.Attestation;

/// <summary>Invalid stored data, through the API or in the database, block at most their own scope.</summary>
[Collection(FakeBackendCollectionDefinition.Name)]
public sealed class CorruptStoredDataTests(FakeBackendSystem system)
{
    private readonly CubeSystem _cube = system.Reset();

    private static readonly string[] _policies =
    [
        "", "{", "null", "[]", "0", "\"text\"", """{"surprise":1}""", """{"types":null}""", """{"types":[null]}""", """{"types":["sev-snp"]}""",
        """{"types":["simulated"],"snp":{"measurements":[null]}}""", """{"types":["simulated"],"tdx":{"rtmrs":{"0":null}}}""",
        "{\"types\":[\"simulated\"],\"tdx\":{\"allowed_advisories\":[\"" + new string('+', 300_000) + "\"]}}", new string('[', 10_000),
    ];

    [Theory]
    [InlineData('+')]
    [InlineData('\u007f')]
    [InlineData('\u2028')]
    public async Task A_policy_that_grows_when_written_affects_no_other_domain(char character)
    {
        var (tenant, other) = (await _cube.CreateTenantAsync(), await _cube.CreateTenantAsync());
        var below = $"/proxy/{tenant.Domain}/attestation/policy";
        var (status, _) = await _cube.SendAsync(HttpMethod.Post, below, tenant.Token, new StringContent(
            $$$"""{"types":["simulated"],"tdx":{"allowed_advisories":["{{{new string(character, 200_000 / System.Text.Encoding.UTF8.GetByteCount([character]))}}}"]}}""", System.Text.Encoding.UTF8, "application/json"));
        Assert.True(status is 201 or 400, $"{status}");
        if (status == 201)
        {
            Assert.Equal(200, (await _cube.SendAsync(HttpMethod.Post, $"{below}/activate", tenant.Token, new { version = 1 })).Status);
        }

        Assert.Equal(200, await ChatAsync(other));
        using var deleted = await _cube.SendRawAsync(HttpMethod.Delete, below, tenant.Token);
        Assert.Equal(204, (int)deleted.StatusCode);
        Assert.Equal(200, await ChatAsync(tenant));
    }

    [Fact]
    public async Task An_unreadable_stored_policy_blocks_its_domain_until_it_is_removed_or_replaced()
    {
        var (tenant, other) = (await _cube.CreateTenantAsync(), await _cube.CreateTenantAsync());
        var below = $"/proxy/{tenant.Domain}/attestation/policy";
        foreach (var policy in _policies)
        {
            await ExecuteAsync("delete from attestation_policies where scope = $1", tenant.Domain.ToString());
            await InsertAsync(tenant.Domain.ToString(), policy);
            await Eventually.TrueAsync(async () => await ChatAsync(tenant) == 503, $"the domain is closed by {policy[..Math.Min(40, policy.Length)]}", 5);
            Assert.Equal(200, await ChatAsync(other));
            var (found, view) = await _cube.SendAsync(HttpMethod.Get, below, tenant.Token);
            Assert.True(found == 200 && view.GetProperty("problem").GetString()!.Length > 0);
            Assert.Equal(200, (await _cube.SendAsync(HttpMethod.Get, $"{below}/versions", tenant.Token)).Status);
            Assert.Equal(400, (await _cube.SendAsync(HttpMethod.Post, $"{below}/activate", tenant.Token, new { version = 1 })).Status);
        }

        Assert.Equal(201, (await _cube.SendAsync(HttpMethod.Post, below, tenant.Token, new { types = (string[])["simulated"] })).Status);
        Assert.Equal(200, (await _cube.SendAsync(HttpMethod.Post, $"{below}/activate", tenant.Token, new { version = 2 })).Status);
        Assert.Equal(200, await ChatAsync(tenant));
        await ExecuteAsync("update attestation_policies set policy = '{' where scope = $1 and is_active", tenant.Domain.ToString());
        await Eventually.TrueAsync(async () => await ChatAsync(tenant) == 503, "a change in place is seen", 5);
        using var deleted = await _cube.SendRawAsync(HttpMethod.Delete, below, tenant.Token);
        Assert.Equal(204, (int)deleted.StatusCode);
        Assert.Equal(200, await ChatAsync(tenant));
    }

    [Fact]
    public async Task A_proxy_starts_with_any_stored_data_and_lists_unreadable_rows()
    {
        var (tenant, other) = (await _cube.CreateTenantAsync(), await _cube.CreateTenantAsync());
        var admin = (await _cube.LoginAsync()).Access;
        foreach (var policy in _policies)
        {
            await InsertAsync(Guid.NewGuid().ToString(), policy);
        }

        foreach (var scope in (string[])["", "nonsense", "route:nonsense", $"route:{Guid.NewGuid()}", Guid.NewGuid().ToString("N"), Guid.NewGuid().ToString().ToUpperInvariant()])
        {
            await InsertAsync(scope, "{");
        }

        string[] garbage = ["null", "[]", "0", "\"x\"", "{}", "[null]", """{"surprise":1}""", """{"name":"x","target_url":"https://x","matchers":[null]}""", """{"name":"x","target_url":"nonsense","priority":"high","matchers":[{"condition":"path","pattern":"("}]}"""];
        foreach (var (value, i) in garbage.Select(static (value, i) => (value, i)))
        {
            await ExecuteAsync("insert into routes (id, name, is_default, definition, created_by, updated_by) values (gen_random_uuid(), $1, false, $2::jsonb, 'x', 'x')", $"garbage-{i}", value);
            await ExecuteAsync("insert into model_catalogues (domain, models, updated_by) values (gen_random_uuid(), $1::jsonb, 'x')", value);
        }

        // Its conditions are readable: matching requests go to no other machine.
        await ExecuteAsync(
            "insert into routes (id, name, is_default, definition, created_by, updated_by) values (gen_random_uuid(), 'closed', false, $1::jsonb, 'x', 'x')",
            """{"name":"closed","target_url":"http://x","matchers":[{"condition":"header","field":"x-closed","pattern":"yes"}]}""");
        await ExecuteAsync("insert into model_catalogues (domain, models, updated_by) values ($1::uuid, '[{\"id\":null}]', 'x')", tenant.Domain.ToString());
        var started = await _cube.StartAnotherProxyAsync();
        foreach (var proxy in (Uri[])[started, _cube.Proxy])
        {
            Assert.Equal(200, await ChatAsync(other, proxy));
            Assert.Equal(503, await ChatAsync(tenant, proxy));
            Assert.Equal(503, await ChatAsync(other, proxy, "yes"));
        }

        var (_, verify) = await _cube.SendAsync(HttpMethod.Get, "/attestation/verify", admin);
        Assert.InRange(verify.GetProperty("unreadable").GetArrayLength(), 30, 100);
        var (listed, routes) = await _cube.SendAsync(HttpMethod.Get, "/api/routes?limit=100", admin);
        Assert.True(listed == 200 && routes.GetProperty("routes").EnumerateArray().Any(static route => route.TryGetProperty("problem", out _)));
        Assert.Equal(200, (await _cube.SendAsync(HttpMethod.Get, "/api/routes/garbage-0", admin)).Status);
        Assert.Equal(200, (await _cube.SendAsync(HttpMethod.Delete, "/api/routes/garbage-0", admin)).Status);
        Assert.Equal(200, (await _cube.SendAsync(HttpMethod.Delete, "/api/routes/closed", admin)).Status);
        Assert.Equal(200, await ChatAsync(other, _cube.Proxy, "yes"));

        Assert.Equal((503, "catalogue_unreadable"), await _cube.SendAsync(HttpMethod.Get, $"/proxy/{tenant.Domain}/models", tenant.Token) is var unreadable ? (unreadable.Status, DomainExtensions.CodeOf(unreadable.Body)) : default);
        Assert.Equal(200, (await _cube.SendAsync(HttpMethod.Put, $"/proxy/{tenant.Domain}/models", tenant.Token, new { models = new[] { new { id = "m" } } })).Status);
        Assert.Equal(200, await ChatAsync(tenant, _cube.Proxy));

        // An unreadable platform policy blocks all requests until an administrator replaces it.
        await ExecuteAsync("update attestation_policies set policy = '{' where scope = $1 and is_active", "platform");
        await Eventually.TrueAsync(async () => await ChatAsync(other, _cube.Proxy) == 503, "the platform is closed", 5);
        Assert.Equal(503, await ChatAsync(other, await _cube.StartAnotherProxyAsync()));
        var (_, staged) = await _cube.SendAsync(HttpMethod.Post, "/attestation/policy", admin, new { types = (string[])["simulated"] });
        Assert.Equal(200, (await _cube.SendAsync(HttpMethod.Post, "/attestation/policy/activate", admin, new { version = staged.GetProperty("version").GetInt32() })).Status);
        Assert.Equal(200, await ChatAsync(other, _cube.Proxy));
        await ExecuteAsync("delete from routes where created_by = $1", "x");
        await ExecuteAsync("delete from model_catalogues where updated_by = $1", "x");
        await ExecuteAsync("delete from attestation_policies where created_by = $1", "garbage");
    }

    [Fact]
    public async Task A_scope_keeps_a_limited_number_of_versions_and_the_active_one()
    {
        var tenant = await _cube.CreateTenantAsync();
        var below = $"/proxy/{tenant.Domain}/attestation/policy";
        for (var i = 0; i < 53; i++)
        {
            Assert.Equal(201, (await _cube.SendAsync(HttpMethod.Post, below, tenant.Token, new { types = (string[])["simulated"] })).Status);
            if (i == 0)
            {
                Assert.Equal(200, (await _cube.SendAsync(HttpMethod.Post, $"{below}/activate", tenant.Token, new { version = 1 })).Status);
            }
        }

        var (_, versions) = await _cube.SendAsync(HttpMethod.Get, $"{below}/versions", tenant.Token);
        var numbers = versions.GetProperty("versions").EnumerateArray().Select(static version => version.GetProperty("version").GetInt32()).ToList();
        Assert.Equal((50, 53, 1), (numbers.Count, numbers[0], numbers[^1]));
    }

    [Fact]
    public async Task Only_rows_of_a_deleted_domain_are_removed()
    {
        var (tenant, other) = (Guid.NewGuid(), Guid.NewGuid());
        foreach (var domain in (Guid[])[tenant, other])
        {
            await InsertAsync(domain.ToString(), """{"types":["simulated"]}""");
            await ExecuteAsync("insert into model_catalogues (domain, models, updated_by) values ($1::uuid, '[]', 'x')", domain.ToString());
        }

        // A notification alone removes nothing, because every database user can send one.
        await ExecuteAsync("select pg_notify('cube_stale', 'deleted:' || $1)", other.ToString());
        var engine = new EngineClient(_cube.Authorization, _cube.EngineKey);
        Assert.Equal(200, (await engine.WriteAsync("TOUCH", $"domain:{tenant}#deleted@platform:cube")).Status);
        await ExecuteAsync("select pg_notify('cube_stale', 'deleted:' || $1)", tenant.ToString());
        await Eventually.TrueAsync(async () => await CountAsync(tenant) == 0, "the rows are removed", 10);
        Assert.Equal(2, await CountAsync(other));
        await ExecuteAsync("delete from model_catalogues where updated_by = $1", "x");
        await ExecuteAsync("delete from attestation_policies where created_by = $1", "garbage");
    }

    private async Task<long> CountAsync(Guid domain)
    {
        await using var source = NpgsqlDataSource.Create($"{_cube.ProxyDatabase};Pooling=false");
        await using var command = source.CreateCommand($"select (select count(*) from attestation_policies where scope = '{domain}') + (select count(*) from model_catalogues where domain = '{domain}')");
        return (long)(await command.ExecuteScalarAsync())!;
    }

    private async Task<int> ChatAsync(Tenant tenant, Uri? proxy = null, string? header = null)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, new Uri(proxy ?? _cube.Proxy, $"{tenant.Api}/chat/completions"))
        {
            Headers = { Authorization = new("Bearer", tenant.Token) },
            Content = new StringContent(JsonSerializer.Serialize(DomainExtensions.Chat("m")), System.Text.Encoding.UTF8, "application/json"),
        };
        if (header is not null)
        {
            request.Headers.Add("x-closed", header);
        }

        using var response = await _cube.Http.SendAsync(request);
        return (int)response.StatusCode;
    }

    private Task InsertAsync(string scope, string policy) => ExecuteAsync(
        "insert into attestation_policies (scope, version, policy, created_by, activated_at, activated_by, is_active) values ($1, 1, $2, 'garbage', now(), 'garbage', true)", scope, policy);

    private async Task ExecuteAsync(string sql, params string[] values)
    {
        await using var source = NpgsqlDataSource.Create($"{_cube.ProxyDatabase};Pooling=false");
        await using var command = source.CreateCommand(sql);
        foreach (var value in values)
        {
            command.Parameters.AddWithValue(value);
        }

        await command.ExecuteNonQueryAsync();
    }
}
