using System.Text.Json;
using Cube.Tests.Systems;

namespace Cube.Tests.Functional.Inference;

/// <summary>Model changes on an Ollama machine. Only platform administrators make them, and only if the policy and the machine allow it.</summary>
public sealed class ModelAdministrationTests(PostgresServer postgres)
{
    private static readonly KeyValuePair<string, string> _machineAllows = new("Backend__AllowModelChanges", "true");
    private static readonly KeyValuePair<string, string> _policyAllows = new("Attestation__FirstPolicy", """{"types":["simulated"],"allow_model_changes":true}""");

    /// <summary>A platform administrator with membership in the seeded domain.</summary>
    private static async Task<Tenant> AdministratorAsync(CubeSystem cube)
    {
        var tokens = await cube.LoginAsync();
        var (status, body) = await cube.SendAsync(HttpMethod.Get, "/domains", tokens.Access);
        Assert.Equal(200, status);
        return new Tenant(Guid.Empty, CubeSystem.AdminEmail, CubeSystem.AdminPassword, tokens, body.GetProperty("domains")[0].GetProperty("id").GetGuid());
    }

    private static Task<(int Status, JsonElement Body)> SendAsync(CubeSystem cube, Tenant who, string request, object body)
    {
        var parts = request.Split(' ');
        return cube.SendAsync(new HttpMethod(parts[0]), $"/proxy/{who.Domain}{parts[1]}", who.Token, body);
    }

    [Fact]
    public async Task Ollama_model_changes_are_effective_for_members_at_once()
    {
        Assert.SkipUnless(OllamaServer.IsAvailable, "Ollama is not installed. CUBE_TEST_BIN and CUBE_TEST_MODELS can name the folders of Ollama and of its model.");
        await using var ollama = await OllamaServer.StartAsync();
        await using var cube = await CubeSystem.StartAsync(postgres, ("ollama", ollama.Address), _machineAllows, _policyAllows);
        var (admin, member) = (await AdministratorAsync(cube), await cube.CreateTenantAsync());
        Assert.Equal([OllamaServer.Model], await ListAsync());

        Assert.Equal((200, "success"), await SendAsync(cube, admin, "POST /api/copy", new { source = OllamaServer.Model, destination = "second" }) is var copied ? (copied.Status, copied.Body.GetProperty("status").GetString()) : default);
        Assert.Equal(["second:latest", OllamaServer.Model], (await ListAsync()).Order());
        var created = await ClientResponse.AskAsync(cube, admin, "/api/create", $$"""{"model":"brief","from":"{{OllamaServer.Model}}","system":"Be brief.","parameters":{"temperature":0} }""");
        Assert.Equal((200, "application/x-ndjson", false), (created.Status, created.Type, created.IsBroken));
        Assert.Equal("""{"status":"success"}""", created.Text.TrimEnd().Split('\n')[^1]);
        Assert.Equal(200, (await ClientResponse.AskAsync(cube, member, "chat/completions", """{"model":"brief","max_tokens":3,"messages":[{"role":"user","content":"hi"}]}""")).Status);

        var shown = await ClientResponse.AskAsync(cube, member, "/api/show", """{"model":"brief"}""");
        Assert.DoesNotContain("Be brief.", shown.Text, StringComparison.Ordinal);
        foreach (var model in (string[])["brief", "second"])
        {
            Assert.Equal(200, (await SendAsync(cube, admin, "DELETE /api/delete", new { name = model })).Status);
        }

        Assert.Equal([OllamaServer.Model], await ListAsync());
        Assert.Equal((404, "model_not_found"), await SendAsync(cube, admin, "DELETE /api/delete", new { model = "second" }) is var gone ? (gone.Status, DomainExtensions.CodeOf(gone.Body)) : default);
        Assert.Equal((404, "model_not_found"), await cube.ChatAsync(member.Domain, member.Token, "brief"));

        // The model library is not reachable: a streamed pull ends with an error line and an abort, another pull with an error response.
        var pulled = await ClientResponse.AskAsync(cube, admin, "/api/pull", """{"model":"no-such-model-anywhere"}""");
        Assert.True(pulled.IsBroken || pulled.Status >= 500, pulled.Text);
        Assert.DoesNotContain("registry.", pulled.Text, StringComparison.Ordinal);
        Assert.Equal((502, "upstream_error"), await ClientResponse.AskAsync(cube, admin, "/api/pull", """{"model":"no-such-model-anywhere","stream":false}""") is var whole ? (whole.Status, whole.Code) : default);

        async Task<IEnumerable<string>> ListAsync() => (await cube.SendAsync(HttpMethod.Get, $"{member.Api}/models", member.Token)).Body.GetProperty("data").EnumerateArray().Select(static model => model.GetProperty("id").GetString()!);
    }

    [Fact]
    public async Task A_pull_streams_its_progress_and_is_for_administrators_and_safe_names_only()
    {
        await using var server = new ReplayServer();
        await using var cube = await CubeSystem.StartAsync(postgres, ("ollama", server.Address), _machineAllows, _policyAllows);
        var admin = await AdministratorAsync(cube);
        await PullAsync(cube, server, admin);
        await RefuseOthersAsync(cube, server, admin);
    }

    private static async Task PullAsync(CubeSystem cube, ReplayServer server, Tenant admin)
    {
        server.PlayJson(200, """
            {"status":"pulling manifest"}
            {"status":"pulling 74701a8c35f6","digest":"sha256:74701a8c35f6","total":1321082688,"completed":500,"path":"/var/lib/x"}
            {"status":"verifying sha256 digest"}
            {"status":"success"}

            """, "application/x-ndjson");
        var pulled = await ClientResponse.AskAsync(cube, admin, "/api/pull", """{"name":"llama3.2:1b","keep":1}""");
        Assert.Equal((200, "application/x-ndjson", false), (pulled.Status, pulled.Type, pulled.IsBroken));
        Assert.Equal(
            """
            {"status":"pulling manifest"}
            {"status":"pulling 74701a8c35f6","digest":"sha256:74701a8c35f6","total":1321082688,"completed":500}
            {"status":"verifying sha256 digest"}
            {"status":"success"}

            """, pulled.Text);
        Assert.Equal("""{"model":"llama3.2:1b"}""", server.Requests.Last().Body);

        server.PlayJson(200, "{\"status\":\"pulling manifest\"}\n", "application/x-ndjson");
        Assert.True((await ClientResponse.AskAsync(cube, admin, "/api/pull", """{"model":"m"}""")).IsBroken, "a pull that ends without success must be aborted");
        server.PlayJson(200, "{\"status\":\"pulling manifest\"}\n{\"error\":\"pull model manifest: file does not exist\"}\n", "application/x-ndjson");
        Assert.Contains("The model does not exist", (await ClientResponse.AskAsync(cube, admin, "/api/pull", """{"model":"m"}""")).Text, StringComparison.Ordinal);

        var before = server.Requests.Count;
        foreach (var name in (string[])["hf.co/a/b", "registry.example.com/library/m", "localhost:5000/m", "10.0.0.1/m", "../m", "m/../n", "a/b/c", "m:cloud", "gpt-oss:120b-cloud", "https://x", "m m", ""])
        {
            Assert.Equal(400, (await SendAsync(cube, admin, "POST /api/pull", new { model = name })).Status);
            Assert.Equal(400, (await SendAsync(cube, admin, "POST /api/create", new { model = "n", from = name })).Status);
            Assert.Equal(400, (await SendAsync(cube, admin, "POST /api/copy", new { source = "m", destination = name })).Status);
        }

        Assert.Equal(400, (await SendAsync(cube, admin, "POST /api/pull", new { model = "m", insecure = true })).Status);
        Assert.Equal(400, (await SendAsync(cube, admin, "POST /api/create", new { model = "m", from = "n", files = new { } })).Status);
        Assert.Equal(400, (await SendAsync(cube, admin, "POST /api/create", new { model = "m" })).Status);
        Assert.Equal(before, server.Requests.Count);
    }

    [Fact]
    public async Task A_machine_without_permission_for_changes_rejects_every_model_change()
    {
        await using var server = new ReplayServer();
        await using var cube = await CubeSystem.StartAsync(postgres, ("ollama", server.Address), _policyAllows);
        var admin = await AdministratorAsync(cube);
        foreach (var (request, body) in _changes)
        {
            Assert.Equal((403, "models_fixed"), await SendAsync(cube, admin, request, body) is var refused ? (refused.Status, DomainExtensions.CodeOf(refused.Body)) : default);
        }

        Assert.Empty(server.Requests);
    }

    private static readonly string[] _simulated = ["simulated"];

    private static readonly (string Request, object Body)[] _changes =
    [
        ("POST /api/pull", new { model = "m" }), ("POST /api/create", new { model = "n", from = "m" }),
        ("POST /api/copy", new { source = "m", destination = "n" }), ("DELETE /api/delete", new { model = "m" }),
    ];

    /// <summary>Domain administrators and personal access tokens cannot change models. A stricter domain policy prohibits changes for every caller.</summary>
    private static async Task RefuseOthersAsync(CubeSystem cube, ReplayServer server, Tenant admin)
    {
        var (tenant, before) = (await cube.CreateTenantAsync(), server.Requests.Count);
        var (_, secret) = await cube.CreatePatAsync(admin, "models/*/llm_read");
        foreach (var (request, body) in _changes)
        {
            Assert.Equal((403, "insufficient_permissions"), await SendAsync(cube, tenant, request, body) is var own ? (own.Status, DomainExtensions.CodeOf(own.Body)) : default);
            Assert.Equal((403, "insufficient_permissions"), await SendAsync(cube, admin with { Tokens = new Tokens(secret, "") }, request, body) is var pat ? (pat.Status, DomainExtensions.CodeOf(pat.Body)) : default);
            Assert.Equal((403, "permission_denied"), await SendAsync(cube, admin with { Domain = tenant.Domain }, request, body) is var foreign ? (foreign.Status, DomainExtensions.CodeOf(foreign.Body)) : default);
        }

        // The policy of the domain does not allow model changes.
        Assert.Equal(201, (await SendAsync(cube, admin, "POST /attestation/policy", new { types = _simulated })).Status);
        Assert.Equal(200, (await SendAsync(cube, admin, "POST /attestation/policy/activate", new { version = 1 })).Status);
        Assert.Equal((403, "models_fixed"), await SendAsync(cube, admin, "POST /api/pull", new { model = "m" }) is var refused ? (refused.Status, DomainExtensions.CodeOf(refused.Body)) : default);
        Assert.Equal(before, server.Requests.Count);
    }
}
