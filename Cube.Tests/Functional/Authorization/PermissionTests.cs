using System.Diagnostics;
using System.Text.Json;
using Cube.Tests.Systems;

namespace Cube.Tests.Functional.Authorization;

/// <summary>Members can do exactly what their roles allow, with either engine.</summary>
public abstract class PermissionTests(AuthorizationSystem system)
{
    private readonly CubeSystem _cube = system.Cube;

    [Fact]
    public async Task Members_use_models_but_auditors_and_roles_without_actions_do_not()
    {
        var tenant = await _cube.CreateTenantAsync();
        var member = await _cube.CreateMemberAsync(tenant, "member");
        var auditor = await _cube.CreateMemberAsync(tenant, "auditor");
        var nothing = await _cube.CreateMemberAsync(tenant, "nothing", []);
        Assert.Equal((200, null), await _cube.ChatAsync(tenant.Domain, tenant.Token));
        Assert.Equal((200, null), await _cube.ChatAsync(tenant.Domain, member.Token));
        foreach (var refused in (Tenant[])[auditor, nothing])
        {
            Assert.Equal((403, "insufficient_permissions"), await _cube.ChatAsync(tenant.Domain, refused.Token));
            Assert.Equal(403, (await _cube.SendAsync(HttpMethod.Get, $"{refused.Api}/models", refused.Token)).Status);
            // The model lookup comes before the permission check.
            Assert.Equal(404, (await _cube.SendAsync(HttpMethod.Get, $"{refused.Api}/nope", refused.Token)).Status);
            Assert.Equal(405, (await _cube.SendAsync(HttpMethod.Get, $"{refused.Api}/chat/completions", refused.Token)).Status);
        }

        await system.EngineAgreesAsync();
    }

    [Fact]
    public async Task A_role_with_one_action_allows_one_endpoint()
    {
        var tenant = await _cube.CreateTenantAsync();
        var embedder = await _cube.CreateMemberAsync(tenant, "embedder", ["llm_embeddings"]);
        Assert.Equal(200, (await _cube.SendAsync(HttpMethod.Post, $"{tenant.Api}/embeddings", embedder.Token, new { model = "m", input = "x" })).Status);
        Assert.Equal(403, (await _cube.SendAsync(HttpMethod.Post, $"{tenant.Api}/completions", embedder.Token, new { model = "m", prompt = "x" })).Status);
        Assert.Equal((403, "insufficient_permissions"), await _cube.ChatAsync(tenant.Domain, embedder.Token));
        Assert.Equal(403, (await _cube.SendAsync(HttpMethod.Get, $"/domains/{tenant.Domain}", embedder.Token)).Status);
    }

    [Fact]
    public async Task A_role_that_is_narrowed_to_named_models_neither_lists_nor_uses_other_models()
    {
        var tenant = await _cube.CreateTenantAsync();
        var narrow = await _cube.CreateMemberAsync(tenant, "narrow", ["llm_read", "llm_chat_completions"], ["other:latest", "org/big:7b"]);
        Assert.Equal(["other:latest", "org/big:7b"], await ModelsAsync(narrow));
        Assert.Equal(["m", "other:latest", "org/big:7b"], await ModelsAsync(tenant));
        Assert.Equal((200, null), await _cube.ChatAsync(tenant.Domain, narrow.Token, "other:latest"));
        // The proxy adds the tag before the permission check.
        Assert.Equal((200, null), await _cube.ChatAsync(tenant.Domain, narrow.Token, "other"));
        Assert.Equal((200, null), await _cube.ChatAsync(tenant.Domain, narrow.Token, "org/big:7b"));
        var before = system.Backend.Requests.Count;
        Assert.Equal((404, "model_not_found"), await _cube.ChatAsync(tenant.Domain, narrow.Token, "m"));
        Assert.Equal((404, "model_not_found"), await _cube.ChatAsync(tenant.Domain, narrow.Token, "no-such-model"));
        Assert.Equal(404, (await _cube.SendAsync(HttpMethod.Get, $"{tenant.Api}/models/m", narrow.Token)).Status);
        Assert.Equal(200, (await _cube.SendAsync(HttpMethod.Get, $"{tenant.Api}/models/org%2Fbig%3A7b", narrow.Token)).Status);
        Assert.Equal(before, system.Backend.Requests.Count);

        var role = await _cube.RoleIdAsync(tenant, "narrow");
        Assert.Equal(200, (await _cube.SendAsync(HttpMethod.Put, $"/domains/{tenant.Domain}/roles/{role}/models", tenant.Token, new { models = (string[])["*"] })).Status);
        await Eventually.TrueAsync(async () => (await _cube.ChatAsync(tenant.Domain, narrow.Token, "m")).Status == 200, "all models are open", 5);
        Assert.Equal(200, (await _cube.SendAsync(HttpMethod.Put, $"/domains/{tenant.Domain}/roles/{role}/models", tenant.Token, new { models = Array.Empty<string>() })).Status);
        await Eventually.TrueAsync(async () => (await ModelsAsync(narrow)).Length == 0, "no model is left", 5);
        await system.EngineAgreesAsync();
    }

    [Theory]
    [InlineData("gpt-oss:120b-cloud")]
    [InlineData("gpt-oss:cloud")]
    [InlineData("hf.co/someone/model")]
    [InlineData("../m")]
    [InlineData("M")]
    [InlineData("m ")]
    [InlineData("m:latest")]
    [InlineData("registry.ollama.ai/library/m")]
    [Trait("Conformance", "TN-05"), Trait("Conformance", "ER-04"), Trait("Conformance", "MD-03")]
    public async Task Only_an_exact_model_of_the_catalogue_reaches_a_model_server(string model)
    {
        var tenant = await _cube.CreateTenantAsync();
        var before = system.Backend.Requests.Count;
        Assert.Equal((404, "model_not_found"), await _cube.ChatAsync(tenant.Domain, tenant.Token, model));
        Assert.Equal(before, system.Backend.Requests.Count);
    }

    [Theory]
    [InlineData("""{"model":"other:latest","messages":[],"model":"m"}""", "invalid_json")]
    [InlineData("""{"model":"other:latest","Model":"m","messages":[]}""", "invalid_json")]
    [InlineData("""{"MODEL":"m","messages":[]}""", "invalid_json")]
    [InlineData("""{"mod\u0065l":"other:latest","model":"m","messages":[]}""", "invalid_json")]
    [InlineData("""{"model":"other:latest","\u004dodel":"m","messages":[]}""", "invalid_json")]
    [InlineData("""{"model":"other:latest","messages":[]}{"model":"m"}""", "invalid_json")]
    [InlineData("""{"model":"other:latest\ud800","messages":[]}""", "invalid_json")]
    [InlineData("""["model","m"]""", "invalid_json")]
    [InlineData("""{"model":"m",""", "invalid_json")]
    [InlineData("", "invalid_json")]
    [InlineData("""{"messages":[]}""", "missing_required_parameter")]
    [InlineData("""{"model":null,"messages":[]}""", "missing_required_parameter")]
    [InlineData("""{"model":["m"],"messages":[]}""", "invalid_type")]
    public async Task A_body_with_an_ambiguous_model_is_rejected(string body, string code)
    {
        var tenant = await _cube.CreateTenantAsync();
        var narrow = await _cube.CreateMemberAsync(tenant, "narrow", ["llm_chat_completions"], ["other:latest"]);
        var before = system.Backend.Requests.Count;
        using var content = new StringContent(body, new System.Net.Http.Headers.MediaTypeHeaderValue("application/json"));
        var (status, answer) = await _cube.SendAsync(HttpMethod.Post, $"{tenant.Api}/chat/completions", narrow.Token, content);
        Assert.Equal((400, code), (status, DomainExtensions.CodeOf(answer)));
        Assert.Equal(before, system.Backend.Requests.Count);
    }

    [Fact]
    public async Task A_role_change_is_effective_at_once_in_Identity_and_shortly_after_in_the_proxy()
    {
        var tenant = await _cube.CreateTenantAsync();
        var user = await _cube.CreateMemberAsync(tenant, "changing", ["llm_chat_completions", "read"]);
        var role = await _cube.RoleIdAsync(tenant, "changing");
        Assert.Equal(200, (await _cube.ChatAsync(tenant.Domain, user.Token)).Status);
        Assert.Equal(200, (await _cube.SendAsync(HttpMethod.Get, $"/domains/{tenant.Domain}", user.Token)).Status);

        var clock = Stopwatch.StartNew();
        Assert.Equal(204, (await _cube.SendAsync(
            HttpMethod.Post, $"/domains/{tenant.Domain}/roles/{role}/actions/delete", tenant.Token, new { actions = (string[])["llm_chat_completions", "read"] })).Status);
        Assert.Equal(403, (await _cube.SendAsync(HttpMethod.Get, $"/domains/{tenant.Domain}", user.Token)).Status);
        await Eventually.TrueAsync(async () => (await _cube.ChatAsync(tenant.Domain, user.Token)).Status == 403, "the proxy refuses", 5);
        // Without the notice it would take four seconds.
        Assert.True(clock.Elapsed < TimeSpan.FromSeconds(3), $"{clock.Elapsed}");

        Assert.Equal(200, (await _cube.SendAsync(
            HttpMethod.Post, $"/domains/{tenant.Domain}/roles/{role}/actions", tenant.Token, new { actions = (string[])["llm_chat_completions"] })).Status);
        await Eventually.TrueAsync(async () => (await _cube.ChatAsync(tenant.Domain, user.Token)).Status == 200, "the proxy allows again", 3);
    }

    [Fact]
    public async Task A_disabled_domain_is_available_to_its_administrators_and_a_frozen_one_to_the_platform()
    {
        var (tenant, admin) = (await _cube.CreateTenantAsync(), (await _cube.LoginAsync()).Access);
        var member = await _cube.CreateMemberAsync(tenant, "member");
        var path = $"/domains/{tenant.Domain}";
        Assert.Equal(403, await StatusAsync(HttpMethod.Post, $"{path}/disable", member.Token));
        Assert.Equal(403, await StatusAsync(HttpMethod.Post, $"{path}/freeze", tenant.Token));
        Assert.Equal(200, await StatusAsync(HttpMethod.Post, $"{path}/disable", tenant.Token));
        Assert.Equal(422, await StatusAsync(HttpMethod.Post, $"{path}/disable", tenant.Token));
        await Eventually.TrueAsync(async () => await _cube.ChatAsync(tenant.Domain, tenant.Token) == (403, "domain_disabled"), "inference is closed", 5);
        Assert.Equal(403, await StatusAsync(HttpMethod.Get, path, member.Token));
        Assert.Equal(200, await StatusAsync(HttpMethod.Get, path, tenant.Token));
        Assert.Equal(200, await StatusAsync(HttpMethod.Post, $"{path}/enable", tenant.Token));
        await Eventually.TrueAsync(async () => (await _cube.ChatAsync(tenant.Domain, member.Token)).Status == 200, "inference is open", 5);

        Assert.Equal(200, await StatusAsync(HttpMethod.Post, $"{path}/freeze", admin));
        await Eventually.TrueAsync(async () => await _cube.ChatAsync(tenant.Domain, tenant.Token) == (403, "domain_disabled"), "inference is frozen", 5);
        Assert.Equal(403, await StatusAsync(HttpMethod.Get, path, tenant.Token));
        Assert.Equal(403, await StatusAsync(HttpMethod.Post, $"{path}/enable", tenant.Token));
        Assert.Equal(200, await StatusAsync(HttpMethod.Get, path, admin));
        Assert.Equal(403, await StatusAsync(HttpMethod.Get, $"{path}/roles", admin));
        Assert.Equal(403, (await _cube.ChatAsync(tenant.Domain, admin)).Status);
        Assert.Equal(200, await StatusAsync(HttpMethod.Post, $"{path}/enable", admin));
        Assert.Equal(200, await StatusAsync(HttpMethod.Get, path, tenant.Token));

        Assert.Equal(204, await StatusAsync(HttpMethod.Delete, path, admin));
        Assert.Equal(403, await StatusAsync(HttpMethod.Get, path, tenant.Token));
        await Eventually.TrueAsync(async () => await _cube.ChatAsync(tenant.Domain, tenant.Token) == (403, "permission_denied"), "it is gone", 5);
        await system.EngineAgreesAsync();
    }

    private async Task<int> StatusAsync(HttpMethod method, string path, string token) => (await _cube.SendAsync(method, path, token)).Status;

    private async Task<string[]> ModelsAsync(Tenant tenant)
    {
        var (status, body) = await _cube.SendAsync(HttpMethod.Get, $"{tenant.Api}/models", tenant.Token);
        Assert.Equal(200, status);
        return [.. body.GetProperty("data").EnumerateArray().Select(static model => model.GetProperty("id").GetString()!)];
    }
}

[Collection(EmbeddedEngineCollectionDefinition.Name)]
public sealed class EmbeddedPermissionTests(EmbeddedEngineSystem system) : PermissionTests(system);

[Collection(SpiceDbCollectionDefinition.Name)]
public sealed class SpiceDbPermissionTests(SpiceDbSystem system) : PermissionTests(system);
