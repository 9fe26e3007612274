using System.Text.Json;
using Cube.Tests.Systems;
using Npgsql;

namespace Cube.Tests.Functional.Identity;

/// <summary>A personal access token can do what both its scopes and its owner's roles allow, and nothing without a scope.</summary>
public abstract class PatTests(AuthorizationSystem system)
{
    private readonly CubeSystem _cube = system.Cube;

    [Fact]
    [Trait("Conformance", "AU-09")]
    public async Task A_token_without_a_scope_has_no_permission()
    {
        var tenant = await _cube.CreateTenantAsync();
        var (_, secret) = await _cube.CreatePatAsync(tenant);
        Assert.Equal((403, "insufficient_permissions"), await _cube.ChatAsync(tenant.Domain, secret));
        Assert.Equal(403, (await _cube.SendAsync(HttpMethod.Get, $"{tenant.Api}/models", secret)).Status);
        Assert.Equal(403, (await _cube.SendAsync(HttpMethod.Get, $"/domains/{tenant.Domain}", secret)).Status);
        Assert.Equal(403, (await _cube.SendAsync(HttpMethod.Get, "/users/profile", secret)).Status);
    }

    [Theory]
    [InlineData("models/*/*", 200, 200, 200, 403)]
    [InlineData("models/*/llm_chat_completions", 200, 200, 403, 403)]
    [InlineData("models/m/llm_chat_completions", 200, 403, 403, 403)]
    [InlineData("models/m/*", 200, 403, 200, 403)]
    [InlineData("models/*/llm_embeddings", 403, 403, 403, 403)]
    [InlineData("domains/*/*", 403, 403, 403, 200)]
    [InlineData("domains/*/read", 403, 403, 403, 200)]
    [InlineData("domains/*/update", 403, 403, 403, 403)]
    public async Task A_scope_allows_only_what_it_names(string scope, int chat, int otherModel, int list, int domain)
    {
        var tenant = await _cube.CreateTenantAsync();
        var (_, secret) = await _cube.CreatePatAsync(tenant, scope);
        Assert.Equal(chat, (await _cube.ChatAsync(tenant.Domain, secret)).Status);
        Assert.Equal(otherModel, (await _cube.ChatAsync(tenant.Domain, secret, "org/big:7b")).Status);
        Assert.Equal(list, (await _cube.SendAsync(HttpMethod.Get, $"{tenant.Api}/models", secret)).Status);
        Assert.Equal(domain, (await _cube.SendAsync(HttpMethod.Get, $"/domains/{tenant.Domain}", secret)).Status);
        await system.EngineAgreesAsync();
    }

    [Fact]
    public async Task A_token_for_one_model_lists_only_that_model()
    {
        var tenant = await _cube.CreateTenantAsync();
        var (_, secret) = await _cube.CreatePatAsync(tenant, "models/org/big:7b/llm_read");
        var (_, list) = await _cube.SendAsync(HttpMethod.Get, $"{tenant.Api}/models", secret);
        Assert.Equal("org/big:7b", Assert.Single(list.GetProperty("data").EnumerateArray()).GetProperty("id").GetString());
    }

    [Fact]
    public async Task A_token_never_has_more_permissions_than_its_owner()
    {
        var tenant = await _cube.CreateTenantAsync();
        var auditor = await _cube.CreateMemberAsync(tenant, "auditor");
        var (_, secret) = await _cube.CreatePatAsync(auditor, "models/*/*", "domains/*/*");
        Assert.Equal((403, "insufficient_permissions"), await _cube.ChatAsync(tenant.Domain, secret));
        Assert.Equal(200, (await _cube.SendAsync(HttpMethod.Get, $"/domains/{tenant.Domain}", secret)).Status);
        Assert.Equal(403, (await _cube.SendAsync(HttpMethod.Patch, $"/domains/{tenant.Domain}", secret, new { name = "x" })).Status);

        // The token of an administrator of the platform has no administrator rights.
        var admin = await _cube.CreateTenantAsync() with { Tokens = await _cube.LoginAsync() };
        var (_, mine) = await _cube.SendAsync(HttpMethod.Post, "/domains", admin.Token, new { name = "of the platform", route = $"p{Guid.NewGuid():N}"[..20] });
        var (_, theirs) = await _cube.CreatePatAsync(admin with { Domain = mine.GetProperty("id").GetGuid() }, "domains/*/*");
        Assert.Equal(403, (await _cube.SendAsync(HttpMethod.Get, "/users", theirs)).Status);
        Assert.Equal(403, (await _cube.SendAsync(HttpMethod.Get, $"/domains/{tenant.Domain}", theirs)).Status);
        Assert.Equal(403, (await _cube.SendAsync(HttpMethod.Post, $"/domains/{mine.GetProperty("id").GetString()}/freeze", theirs)).Status);
    }

    [Fact]
    public async Task A_token_cannot_create_change_or_list_tokens()
    {
        var tenant = await _cube.CreateTenantAsync();
        var (id, secret) = await _cube.CreatePatAsync(tenant, "models/*/*", "domains/*/*");
        foreach (var (method, path, body) in new (HttpMethod, string, object?)[]
        {
            (HttpMethod.Get, "/pats", null), (HttpMethod.Post, "/pats", new { name = "x", duration = "1h" }), (HttpMethod.Delete, "/pats", null),
            (HttpMethod.Get, $"/pats/{id}", null), (HttpMethod.Patch, $"/pats/{id}/scope/add", new { scopes = (object[])[DomainExtensions.Scope(tenant.Domain, "models/*/*")] }),
            (HttpMethod.Patch, $"/pats/{id}/secret/reset", new { duration = "1h" }), (HttpMethod.Get, "/users/tokens/refresh-tokens", null), (HttpMethod.Patch, "/users/secret", new { }),
            (HttpMethod.Post, "/domains", new { name = "x", route = "x" }), (HttpMethod.Get, "/domains", null), (HttpMethod.Get, "/invitations", null), (HttpMethod.Post, "/invitations/accept", new { domain_id = tenant.Domain }),
        })
        {
            Assert.Equal(403, (await _cube.SendAsync(method, path, secret, body)).Status);
        }
    }

    [Fact]
    public async Task Invalid_foreign_and_duplicate_scopes_are_rejected()
    {
        var (tenant, foreign) = (await _cube.CreateTenantAsync(), await _cube.CreateTenantAsync());
        var (id, _) = await _cube.CreatePatAsync(tenant, "models/*/llm_read");
        foreach (var scope in (string[])["models/*/read", "models/*/nope", "models//llm_read", "domains/*/llm_read", "domains/x/read", "channels/*/publish", "models/*/"])
        {
            Assert.Equal(400, await AddAsync(DomainExtensions.Scope(tenant.Domain, scope)));
        }

        Assert.Equal(400, await AddAsync());
        Assert.Equal(400, await AddAsync(new { entity_type = "models", entity_id = "*", operation = "*" }));
        Assert.Equal(403, await AddAsync(DomainExtensions.Scope(foreign.Domain, "models/*/*")));
        Assert.Equal(403, await AddAsync(DomainExtensions.Scope(Guid.NewGuid(), "models/*/*")));
        Assert.Equal(409, await AddAsync(DomainExtensions.Scope(tenant.Domain, "models/*/llm_read")));
        Assert.Equal(409, await AddAsync(DomainExtensions.Scope(tenant.Domain, "models/a/*"), DomainExtensions.Scope(tenant.Domain, "models/a/*")));
        var (_, list) = await _cube.SendAsync(HttpMethod.Get, $"/pats/{id}/scope", tenant.Token);
        Assert.Equal(1, list.GetProperty("total").GetInt32());
        // A user cannot change the token of another user.
        Assert.Equal(404, (await _cube.SendAsync(HttpMethod.Patch, $"/pats/{id}/scope/add", foreign.Token, new { scopes = (object[])[DomainExtensions.Scope(foreign.Domain, "models/*/*")] })).Status);

        async Task<int> AddAsync(params object[] scopes) => (await _cube.SendAsync(HttpMethod.Patch, $"/pats/{id}/scope/add", tenant.Token, new { scopes })).Status;
    }

    [Fact]
    public async Task Removed_scopes_revoked_tokens_and_replaced_secrets_stop_working_at_once()
    {
        var tenant = await _cube.CreateTenantAsync();
        var (id, secret) = await _cube.CreatePatAsync(tenant, "models/*/*");
        Assert.Equal(200, (await _cube.ChatAsync(tenant.Domain, secret)).Status);
        var scope = (await _cube.SendAsync(HttpMethod.Get, $"/pats/{id}/scope", tenant.Token)).Body.GetProperty("scopes")[0].GetProperty("id").GetString();
        Assert.Equal(200, (await _cube.SendAsync(HttpMethod.Patch, $"/pats/{id}/scope/remove", tenant.Token, new { scopes_id = (string?[])[scope] })).Status);
        await Eventually.TrueAsync(async () => (await _cube.ChatAsync(tenant.Domain, secret)).Status == 403, "the scope is gone", 3);
        await _cube.SendAsync(HttpMethod.Patch, $"/pats/{id}/scope/add", tenant.Token, new { scopes = (object[])[DomainExtensions.Scope(tenant.Domain, "models/*/*")] });
        await Eventually.TrueAsync(async () => (await _cube.ChatAsync(tenant.Domain, secret)).Status == 200, "the scope is back", 3);

        var (_, reset) = await _cube.SendAsync(HttpMethod.Patch, $"/pats/{id}/secret/reset", tenant.Token, new { duration = "720h" });
        var next = reset.GetProperty("secret").GetString()!;
        await Eventually.TrueAsync(async () => await _cube.ChatAsync(tenant.Domain, secret) == (401, "invalid_api_key"), "the old secret is refused", 3);
        Assert.Equal(200, (await _cube.ChatAsync(tenant.Domain, next)).Status);
        Assert.Equal(204, (await _cube.SendAsync(HttpMethod.Patch, $"/pats/{id}/secret/revoke", tenant.Token)).Status);
        await Eventually.TrueAsync(async () => await _cube.ChatAsync(tenant.Domain, next) == (401, "invalid_api_key"), "the revoked token is refused", 3);
        Assert.Equal("revoked", (await _cube.SendAsync(HttpMethod.Get, $"/pats/{id}", tenant.Token)).Body.GetProperty("status").GetString());
    }

    [Fact]
    public async Task Tokens_are_managed_and_the_secret_is_returned_once()
    {
        var user = await _cube.CreateUserAsync();
        var (status, made) = await _cube.SendAsync(HttpMethod.Post, "/pats", user.Token, new { name = "ci", description = "for builds", duration = "720h" });
        Assert.Equal(201, status);
        Assert.Matches("^pat_[A-Za-z0-9_-]{43}$", made.GetProperty("secret").GetString());
        Assert.Equal("active", made.GetProperty("status").GetString());
        var path = $"/pats/{made.GetProperty("id").GetString()}";
        Assert.Equal(202, (await _cube.SendAsync(HttpMethod.Patch, $"{path}/name", user.Token, new { name = "cd" })).Status);
        Assert.Equal(202, (await _cube.SendAsync(HttpMethod.Patch, $"{path}/description", user.Token, new { description = "" })).Status);
        var (_, one) = await _cube.SendAsync(HttpMethod.Get, path, user.Token);
        Assert.Equal("cd", one.GetProperty("name").GetString());
        Assert.False(one.TryGetProperty("secret", out _));
        Assert.False(one.TryGetProperty("last_used_at", out _));
        Assert.Equal(200, (await _cube.SendAsync(HttpMethod.Get, "/users/tokens/introspect", made.GetProperty("secret").GetString())).Status);
        Assert.True((await _cube.SendAsync(HttpMethod.Get, path, user.Token)).Body.TryGetProperty("last_used_at", out _));
        Assert.Equal(1, (await _cube.SendAsync(HttpMethod.Get, "/pats?status=active&name=C", user.Token)).Body.GetProperty("total").GetInt32());
        Assert.Equal(0, (await _cube.SendAsync(HttpMethod.Get, "/pats?status=revoked", user.Token)).Body.GetProperty("total").GetInt32());
        foreach (var body in (object[])[new { duration = "1h" }, new { name = "x" }, new { name = "x", duration = "soon" }, new { name = "x", duration = "0s" }, new { name = "x", duration = "9000h" }, new { name = "x", duration = "99999999999999999999h" }])
        {
            Assert.Equal(400, (await _cube.SendAsync(HttpMethod.Post, "/pats", user.Token, body)).Status);
        }

        Assert.Equal(204, (await _cube.SendAsync(HttpMethod.Delete, path, user.Token)).Status);
        Assert.Equal(404, (await _cube.SendAsync(HttpMethod.Get, path, user.Token)).Status);
        Assert.Equal(404, (await _cube.SendAsync(HttpMethod.Delete, path, user.Token)).Status);
        await _cube.CreatePatAsync(user);
        Assert.Equal(200, (await _cube.SendAsync(HttpMethod.Delete, "/pats", user.Token)).Status);
        Assert.Equal(0, (await _cube.SendAsync(HttpMethod.Get, "/pats", user.Token)).Body.GetProperty("total").GetInt32());
    }

    [Fact]
    public async Task Expired_and_guessed_tokens_are_answered_with_401()
    {
        var tenant = await _cube.CreateTenantAsync();
        var (id, secret) = await _cube.CreatePatAsync(tenant, "models/*/*");
        await using var source = NpgsqlDataSource.Create($"{_cube.Database};Pooling=false");
        await using (var find = source.CreateCommand("select count(*) from pats p where p::text like '%' || $1 || '%'"))
        {
            find.Parameters.AddWithValue(secret["pat_".Length..]);
            Assert.Equal(0L, await find.ExecuteScalarAsync());
        }

        await using (var expire = source.CreateCommand("update pats set expires_at = now() where id = $1"))
        {
            expire.Parameters.AddWithValue(id);
            await expire.ExecuteNonQueryAsync();
        }

        await Eventually.TrueAsync(async () => await _cube.ChatAsync(tenant.Domain, secret) == (401, "invalid_api_key"), "it has expired", 5);
        Assert.Equal("expired", (await _cube.SendAsync(HttpMethod.Get, $"/pats/{id}", tenant.Token)).Body.GetProperty("status").GetString());
        foreach (var guess in (string[])["pat_", "pat_x", $"pat_{new string('A', 43)}", secret + "A", secret[..^1]])
        {
            Assert.Equal((401, "invalid_api_key"), await _cube.ChatAsync(tenant.Domain, guess));
            Assert.Equal(401, (await _cube.SendAsync(HttpMethod.Get, $"/domains/{tenant.Domain}", guess)).Status);
        }
    }
}

[Collection(EmbeddedEngineCollectionDefinition.Name)]
public sealed class EmbeddedPatTests(EmbeddedEngineSystem system) : PatTests(system);

[Collection(SpiceDbCollectionDefinition.Name)]
public sealed class SpiceDbPatTests(SpiceDbSystem system) : PatTests(system);
