using System.Text.Json;
using Cube.Tests.Systems;

namespace Cube.Tests.Functional.Inference;

/// <summary>The model catalog of a domain: the published models and their aliases.</summary>
[Collection(ReplayCollectionDefinition.Name)]
public sealed class CatalogTests(ReplaySystem system)
{
    private readonly CubeSystem _cube = system["vllm"].Cube;

    private async Task<Tenant> TenantAsync(params (string Id, string? Model)[] models)
    {
        var tenant = await _cube.CreateTenantAsync();
        var (status, body) = await PutAsync(tenant, new { models = models.Select(static model => model.Model is { } at ? (object)new { id = model.Id, model = at } : new { id = model.Id }) });
        Assert.True(status == 200, body.ToString());
        return tenant;
    }

    private Task<(int Status, JsonElement Body)> PutAsync(Tenant tenant, object catalogue) => _cube.SendAsync(HttpMethod.Put, $"/proxy/{tenant.Domain}/models", tenant.Token, catalogue);

    private async Task<string[]> ListAsync(Tenant tenant)
    {
        var (status, body) = await _cube.SendAsync(HttpMethod.Get, $"{tenant.Api}/models", tenant.Token);
        Assert.Equal(200, status);
        OpenAiSchema.Check("ListModelsResponse", body);
        return [.. body.GetProperty("data").EnumerateArray().Select(static model => model.GetProperty("id").GetString()!)];
    }

    [Fact]
    [Trait("Conformance", "MD-05")]
    public async Task Two_domains_with_different_catalogs_use_different_models()
    {
        var (first, second) = (await TenantAsync(("smollm2", null)), await TenantAsync(("tools", null), ("not-there", null)));
        Assert.Equal(["smollm2"], await ListAsync(first));
        Assert.Equal(["tools"], await ListAsync(second));
        Assert.Contains("m", await ListAsync(await _cube.CreateTenantAsync()));

        var server = system["vllm"].Server;
        server.Play(Recording.Find("vllm-0.32.0/default/chat-plain"));
        Assert.Equal((200, null), await _cube.ChatAsync(first.Domain, first.Token, "smollm2"));
        var before = server.Requests.Count;
        foreach (var (tenant, model) in ((Tenant, string)[])[(first, "tools"), (first, "m"), (second, "smollm2"), (second, "not-there")])
        {
            Assert.Equal((404, "model_not_found"), await _cube.ChatAsync(tenant.Domain, tenant.Token, model));
            Assert.Equal(404, (await _cube.SendAsync(HttpMethod.Get, $"{tenant.Api}/models/{model}", tenant.Token)).Status);
        }

        Assert.Equal(before, server.Requests.Count);
    }

    [Fact]
    public async Task A_catalog_alias_is_mapped_to_its_model_and_returned_in_the_response()
    {
        var tenant = await TenantAsync(("gpt-4o", "smollm2"), ("team/fast:latest", "smollm2"));
        var server = system["vllm"].Server;
        server.Play(Recording.Find("vllm-0.32.0/default/chat-plain"));
        foreach (var (asked, isThere) in ((string, bool)[])[("gpt-4o", true), ("team/fast", true), ("team/fast:latest", true), ("smollm2", false), ("GPT-4o", false)])
        {
            var answer = await ClientResponse.AskAsync(_cube, tenant, "chat/completions", $$"""{"model":"{{asked}}","messages":[{"role":"user","content":"hi"}]}""");
            Assert.Equal(isThere ? 200 : 404, answer.Status);
            if (isThere)
            {
                Assert.Equal(asked, answer.Json.GetProperty("model").GetString());
                Assert.Equal("smollm2", JsonElement.Parse(server.Requests.Last().Body).GetProperty("model").GetString());
            }
        }

        var (status, one) = await _cube.SendAsync(HttpMethod.Get, $"{tenant.Api}/models/team%2Ffast%3Alatest", tenant.Token);
        Assert.Equal((200, "team/fast:latest"), (status, one.GetProperty("id").GetString()));
    }

    [Fact]
    public async Task A_role_narrowed_to_models_applies_to_catalog_aliases()
    {
        var tenant = await TenantAsync(("fast", "smollm2"), ("other", "smollm2"));
        var member = await _cube.CreateMemberAsync(tenant, "narrow", ["llm_read", "llm_chat_completions"], ["fast"]);
        system["vllm"].Server.Play(Recording.Find("vllm-0.32.0/default/chat-plain"));
        Assert.Equal(["fast"], await ListAsync(member));
        Assert.Equal((200, null), await _cube.ChatAsync(tenant.Domain, member.Token, "fast"));
        Assert.Equal((404, "model_not_found"), await _cube.ChatAsync(tenant.Domain, member.Token, "other"));
    }

    [Fact]
    public async Task A_role_narrowed_to_models_cannot_map_its_alias_to_another_model()
    {
        var tenant = await _cube.CreateTenantAsync();
        var member = await _cube.CreateMemberAsync(tenant, "narrow", ["llm_read", "llm_update", "llm_chat_completions"], ["smollm2"]);
        system["vllm"].Server.Play(Recording.Find("vllm-0.32.0/default/chat-plain"));
        Assert.Equal((404, "model_not_found"), await _cube.ChatAsync(tenant.Domain, member.Token, "tools"));
        foreach (var catalogue in (object[])[new { models = new[] { new { id = "smollm2", model = "tools" } } }, new { models = new[] { new { id = "smollm2" } } }])
        {
            Assert.Equal(403, (await PutAsync(member, catalogue)).Status);
        }

        // The removal of the catalog would also change the meaning of the aliases.
        Assert.Equal(200, (await PutAsync(tenant, new { models = new[] { new { id = "smollm2", model = "tools" } } })).Status);
        Assert.Equal(403, (await _cube.SendAsync(HttpMethod.Delete, $"/proxy/{tenant.Domain}/models", member.Token)).Status);
    }

    [Fact]
    public async Task A_catalog_can_be_read_replaced_and_removed_with_immediate_effect()
    {
        var tenant = await _cube.CreateTenantAsync();
        Assert.Equal((404, "not_found"), await _cube.SendAsync(HttpMethod.Get, $"/proxy/{tenant.Domain}/models", tenant.Token) is var none ? (none.Status, DomainExtensions.CodeOf(none.Body)) : default);
        Assert.Equal(200, (await PutAsync(tenant, new { models = Array.Empty<object>() })).Status);
        Assert.Empty(await ListAsync(tenant));
        Assert.Equal(200, (await PutAsync(tenant, new { models = new[] { new { id = "tools" } } })).Status);
        Assert.Equal(["tools"], await ListAsync(tenant));
        var (status, body) = await _cube.SendAsync(HttpMethod.Get, $"/proxy/{tenant.Domain}/models", tenant.Token);
        Assert.Equal((200, """[{"id":"tools","model":"tools"}]"""), (status, body.GetProperty("models").GetRawText()));
        Assert.Equal(204, (await _cube.SendAsync(HttpMethod.Delete, $"/proxy/{tenant.Domain}/models", tenant.Token)).Status);
        Assert.Contains("m", await ListAsync(tenant));
    }

    [Fact]
    public async Task A_changed_catalog_is_effective_in_every_proxy()
    {
        var tenant = await _cube.CreateTenantAsync();
        var other = await _cube.StartAnotherProxyAsync();
        await PutAsync(tenant, new { models = new[] { new { id = "tools" } } });
        await Eventually.TrueAsync(async () =>
        {
            using var request = new HttpRequestMessage(HttpMethod.Get, new Uri(other, $"{tenant.Api}/models")) { Headers = { Authorization = new("Bearer", tenant.Token) } };
            using var response = await _cube.Http.SendAsync(request);
            return JsonElement.Parse(await response.Content.ReadAsStringAsync()).GetProperty("data").GetArrayLength() == 1;
        }, "the other proxy lists one model");
    }

    [Theory]
    [InlineData("{")]
    [InlineData("null")]
    [InlineData("""{}""")]
    [InlineData("""{"models":null}""")]
    [InlineData("""{"models":[{}]}""")]
    [InlineData("""{"models":[{"id":""}]}""")]
    [InlineData("""{"models":[{"id":"a b"}]}""")]
    [InlineData("""{"models":[{"id":"a","model":"../x"}]}""")]
    [InlineData("""{"models":[{"id":"a"},{"id":"a"}]}""")]
    [InlineData("""{"models":[{"id":"a","target":"b"}]}""")]
    [InlineData("""{"models":[],"models":[]}""")]
    [InlineData("""{"models":[null]}""")]
    [InlineData("""{"models":[{"id":null}]}""")]
    [InlineData("""{"models":[{"id":"a","model":null}]}""")]
    [InlineData("""{"models":[{"id":"a"},null]}""")]
    public async Task An_invalid_catalog_is_rejected_and_the_active_one_is_kept(string body)
    {
        var tenant = await TenantAsync(("tools", null));
        using var content = new StringContent(body, System.Text.Encoding.UTF8, "application/json");
        using var response = await _cube.SendRawAsync(HttpMethod.Put, $"/proxy/{tenant.Domain}/models", tenant.Token, content);
        Assert.Equal((400, "invalid_value"), ((int)response.StatusCode, DomainExtensions.CodeOf(JsonElement.Parse(await response.Content.ReadAsStringAsync()))));
        Assert.Equal(["tools"], await ListAsync(tenant));
    }

    [Fact]
    public async Task Readers_cannot_change_a_catalog_and_other_users_cannot_read_it()
    {
        var tenant = await TenantAsync(("tools", null));
        var (reader, stranger) = (await _cube.CreateMemberAsync(tenant, "reader", ["llm_read"]), await _cube.CreateTenantAsync());
        Assert.Equal(403, (await PutAsync(reader, new { models = new[] { new { id = "m" } } })).Status);
        Assert.Equal(403, (await _cube.SendAsync(HttpMethod.Delete, $"/proxy/{tenant.Domain}/models", reader.Token)).Status);
        Assert.Equal(403, (await _cube.SendAsync(HttpMethod.Get, $"/proxy/{tenant.Domain}/models", stranger.Token)).Status);
        Assert.Equal(["tools"], await ListAsync(reader));
    }
}
