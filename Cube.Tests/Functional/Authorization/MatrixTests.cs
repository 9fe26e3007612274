using Cube.Authorization;
using Cube.Identity.Roles;
using Cube.Inference;
using Cube.Tests.Systems;

namespace Cube.Tests.Functional.Authorization;

/// <summary>
/// FieldChecks every role against every path below a domain with the rules below. A new action or path without a rule fails the test.
/// </summary>
public abstract class MatrixTests(AuthorizationSystem system)
{
    private readonly CubeSystem _cube = system.Cube;

    /// <param name="Request">Method and path below the domain, as the services map it.</param>
    /// <param name="Body">The body. It need not be valid: any status except 403 means that the caller is allowed.</param>
    private sealed record Rule(string Action, string Request, object? Body = null);

    /// <summary>In the order of the calls: the last ones disable and delete the domain.</summary>
    private static readonly Rule[] Inference =
    [
        new("llm_read", "GET /v1/models"),
        new("llm_read", "GET /v1/models/m"),
        new("llm_chat_completions", "POST /v1/chat/completions", DomainExtensions.Chat("m")),
        new("llm_completions", "POST /v1/completions", new { model = "m", prompt = "x" }),
        new("llm_embeddings", "POST /v1/embeddings", new { model = "m", input = "x" }),
        new("llm_utility", "POST /tokenize", new { model = "m", prompt = "x" }),
        new("llm_utility", "POST /detokenize", new { model = "m", tokens = new[] { 1 } }),
        new("llm_pooling", "POST /pooling", new { model = "m", input = "x" }),
        new("llm_classification", "POST /classify", new { model = "m", input = "x" }),
        new("llm_scoring", "POST /v1/score", new { model = "m", text_1 = "x", text_2 = "y" }),
        new("llm_scoring", "POST /score", new { model = "m", text_1 = "x", text_2 = "y" }),
        new("llm_rerank", "POST /rerank", new { model = "m", query = "x", documents = new[] { "y" } }),
        new("llm_chat_completions", "POST /api/chat", DomainExtensions.Chat("m")),
        new("llm_completions", "POST /api/generate", new { model = "m", prompt = "x" }),
        new("llm_embeddings", "POST /api/embed", new { model = "m", input = "x" }),
        new("llm_chat_completions", "POST /v1/responses", new { model = "m", input = "x" }),
        new("llm_transcription", "POST /v1/audio/transcriptions"),
        new("llm_translation", "POST /v1/audio/translations"),
        new("llm_embeddings", "POST /api/embeddings", new { model = "m", prompt = "x" }),
        new("llm_read", "POST /api/show", new { model = "m" }),
        new("llm_read", "GET /api/ps"),
        new("llm_read", "GET /api/tags"),
        new("llm_read", "GET /models"),
        new("llm_update", "PUT /models", new { models = new[] { new { id = "m" } } }),
        new("llm_update", "DELETE /models"),
        new("llm_read", "GET /api/version"),
        new("llm_rerank", "POST /v1/rerank", new { model = "m", query = "x", documents = new[] { "y" } }),
        new("llm_read", "POST /attestation", new { to_json = true }),
        new("llm_read", "GET /attestation/verify"),
        new("attestation_policy_read", "GET /attestation/policy"),
        new("attestation_policy_read", "GET /attestation/policy/versions"),
        new("attestation_policy_read", "POST /attestation/policy/dry-run", new { types = new[] { "simulated" } }),
        new("attestation_policy_update", "POST /attestation/policy", new { types = new[] { "simulated" } }),
        new("attestation_policy_update", "POST /attestation/policy/activate", new { version = 99 }),
        new("attestation_policy_update", "DELETE /attestation/policy"),
    ];

    /// <summary>Paths that no role of a domain allows.</summary>
    private static readonly Rule[] OfAdministrators =
    [
        new("", "POST /api/pull", new { model = "m" }),
        new("", "POST /api/create", new { model = "n", from = "m" }),
        new("", "POST /api/copy", new { source = "m", destination = "n" }),
        new("", "DELETE /api/delete", new { model = "m" }),
    ];

    private static readonly Rule[] Management =
    [
        new("read", "GET "),
        new("update", "PATCH ", new { }),
        new("audit_log_read", "GET /journal"),
        new("view_role_users", "GET /users"),
        new("view_role_users", "GET /roles"),
        new("view_role_users", "GET /roles/members"),
        new("view_role_users", "GET /roles/{roleId}"),
        new("view_role_users", "GET /roles/{roleId}/actions"),
        new("view_role_users", "GET /roles/{roleId}/models"),
        new("view_role_users", "GET /roles/{roleId}/members"),
        new("manage_role", "POST /roles", new { }),
        new("manage_role", "PUT /roles/{roleId}", new { }),
        new("manage_role", "DELETE /roles/{roleId}"),
        new("manage_role", "POST /roles/{roleId}/actions", new { }),
        new("manage_role", "POST /roles/{roleId}/actions/delete", new { }),
        new("manage_role", "POST /roles/{roleId}/actions/delete-all"),
        new("manage_role", "PUT /roles/{roleId}/models", new { }),
        new("manage_role", "POST /invitations", new { }),
        new("manage_role", "GET /invitations"),
        new("manage_role", "DELETE /invitations", new { }),
        new("add_role_users", "POST /roles/{roleId}/members", new { }),
        new("remove_role_users", "POST /roles/{roleId}/members/delete", new { }),
        new("remove_role_users", "POST /roles/{roleId}/members/delete-all"),
        new("remove_role_users", "DELETE /roles", new { }),
        new("enable", "POST /enable"),
        new("disable", "POST /disable"),
        new("delete", "DELETE "),
    ];

    /// <summary>Paths without an action: for every member, and for administrators of the platform only.</summary>
    private static readonly string[] OfNoAction = ["GET /membership", "POST /freeze", "PUT /administrator"];

    /// <summary>Actions that have no path yet, or none on this model server. Adding a path requires removing its action here.</summary>
    private static readonly string[] WithoutPath =
    [
        "llm_create", "llm_delete",
        "llm_manage_role", "llm_add_role_users", "llm_remove_role_users", "llm_view_role_users",
        "audit_log_export", "audit_log_manage_role", "audit_log_add_role_users", "audit_log_remove_role_users", "audit_log_view_role_users",
        "guardrails_read", "guardrails_update", "route_read", "route_update", "quota_read", "quota_update",
    ];

    [Fact]
    public async Task Every_action_and_every_path_has_a_rule()
    {
        Assert.Equal(
            CubeSchema.Actions.Order(),
            Inference.Concat(Management).Select(static rule => rule.Action).Distinct().Concat(WithoutPath).Order());

        var (_, proxy) = await _cube.SendAsync(HttpMethod.Get, "/openapi/v1.json", null);
        const string prefix = "/proxy/{domainId}";
        var described = proxy.GetProperty("paths").EnumerateObject()
            .Where(static path => path.Name.StartsWith(prefix + "/", StringComparison.Ordinal))
            .SelectMany(static path => path.Value.EnumerateObject()
                .Where(static member => member.Name != "parameters")
                .Select(method => (Request: $"{method.Name.ToUpperInvariant()} {path.Name[prefix.Length..].Replace("{model}", "m", StringComparison.Ordinal)}", Text: method.Value.GetProperty("description").GetString()!)))
            .ToList();
        Assert.Equal(described.Select(static endpoint => endpoint.Request).Order(), Inference.Concat(OfAdministrators).Select(static rule => rule.Request).Order());
        Assert.All(Inference, rule => Assert.EndsWith($"must allow {rule.Action}.", described.Single(endpoint => endpoint.Request == rule.Request).Text, StringComparison.Ordinal));
        Assert.All(OfAdministrators, rule => Assert.StartsWith("For platform administrators", described.Single(endpoint => endpoint.Request == rule.Request).Text, StringComparison.Ordinal));

        var (_, document) = await _cube.SendAsync(HttpMethod.Get, "/openapi/identity.json", null);
        var served = document.GetProperty("paths").EnumerateObject()
            .Where(static path => path.Name.StartsWith("/domains/{id}", StringComparison.Ordinal))
            .SelectMany(static path => path.Value.EnumerateObject().Select(method => $"{method.Name.ToUpperInvariant()} {path.Name["/domains/{id}".Length..]}"));
        Assert.Equal(served.Order(), Management.Select(static rule => rule.Request).Concat(OfNoAction).Order());
    }

    [Fact]
    public async Task Each_role_allows_exactly_the_paths_of_its_actions()
    {
        (string Name, IReadOnlyList<string> Actions)[] roles =
        [
            .. BuiltInRoles.Actions.Select(static role => (role.Key, role.Value)),
            ("none", []),
            .. CubeSchema.Actions.Where(static (_, index) => index % TestLevel.Pick(8, 1) == 0).Select(static action => ($"only {action}", (IReadOnlyList<string>)[action])),
        ];
        // Two at a time, for two processors.
        await Parallel.ForEachAsync(roles, new ParallelOptions { MaxDegreeOfParallelism = 2 }, async (role, _) => await CheckAsync(role.Name, role.Actions));
    }

    [Fact]
    public async Task A_token_allows_a_path_only_with_a_scope_for_its_action()
    {
        var tenant = await _cube.CreateTenantAsync();
        var (_, none) = await _cube.CreatePatAsync(tenant);
        var (_, all) = await _cube.CreatePatAsync(tenant, "models/*/*", "domains/*/*");
        var right = new Dictionary<string, string>();
        foreach (var action in Inference.Select(static rule => rule.Action).Distinct())
        {
            right[action] = (await _cube.CreatePatAsync(tenant, Scope(action))).Secret;
        }

        foreach (var rule in Inference)
        {
            var other = rule.Action == "llm_read" ? "llm_update" : "llm_read";
            foreach (var (token, isRight, what) in ((string, bool, string)[])[(none, false, "no scope"), (right[other], false, other), (right[rule.Action], true, rule.Action), (all, true, "all scopes")])
            {
                // A valid body, because some permissions are checked after the body is read.
                if (rule.Body is null && rule.Request.Contains("/audio/", StringComparison.Ordinal))
                {
                    continue;
                }

                var status = await StatusAsync(rule, tenant.Domain, token);
                Assert.True((status != 403) == isRight && status < 500, $"{rule.Request} with {what} is {status}");
            }
        }

        foreach (var rule in OfAdministrators)
        {
            Assert.Equal(403, await StatusAsync(rule, tenant.Domain, all));
        }

        foreach (var (token, expected) in ((string, int)[])[(none, 403), (right["llm_update"], 403), (right["llm_read"], 200), (all, 200)])
        {
            Assert.Equal(expected, (await _cube.SendAsync(HttpMethod.Get, $"/attestation/verify?domain_id={tenant.Domain}", token)).Status);
        }

        foreach (var path in (string[])["/api/routes", "/attestation/policy", "/attestation/policy/versions", "/attestation/verify", "/attestation/collateral", "/attestation/evidence?sha256=a"])
        {
            Assert.Equal(403, (await _cube.SendAsync(HttpMethod.Get, path, all)).Status);
        }
    }

    [Fact]
    public async Task A_token_narrowed_to_one_model_allows_no_path_for_the_whole_domain()
    {
        var tenant = await _cube.CreateTenantAsync();
        var (_, narrow) = await _cube.CreatePatAsync(tenant, "models/m/*");
        foreach (var rule in Inference.Where(static rule => rule.Action is "llm_read" or "llm_update"))
        {
            var isOfDomain = rule.Request.EndsWith(" /models", StringComparison.Ordinal) || rule.Request.Contains(" /attestation", StringComparison.Ordinal);
            Assert.Equal(isOfDomain, await StatusAsync(rule, tenant.Domain, narrow) == 403);
        }
    }

    private static string Scope(string action) => $"{(action.StartsWith("llm_", StringComparison.Ordinal) ? "models" : "domains")}/*/{action}";

    private async Task<int> StatusAsync(Rule rule, Guid domain, string token)
    {
        var parts = rule.Request.Split(' ', 2);
        return (await _cube.SendAsync(new HttpMethod(parts[0]), $"/proxy/{domain}{parts[1]}", token, rule.Body)).Status;
    }

    private async Task CheckAsync(string name, IReadOnlyList<string> actions)
    {

        var tenant = await _cube.CreateTenantAsync();
        var user = await _cube.CreateMemberAsync(tenant, name, BuiltInRoles.Actions.ContainsKey(name) ? null : [.. actions]);
        // A role without actions, which every caller's role covers.
        var other = await _cube.CreateRoleAsync(tenant, "other", [], []);
        foreach (var rule in (Rule[])[.. Inference, .. OfAdministrators])
        {
            await ExpectAsync(rule, $"/proxy/{tenant.Domain}");
        }

        foreach (var rule in Management)
        {
            await ExpectAsync(rule, $"/domains/{tenant.Domain}");
            if (rule.Action == "disable" && actions.Contains("disable"))
            {
                await _cube.SendAsync(HttpMethod.Post, $"/domains/{tenant.Domain}/enable", tenant.Token);
            }

            if (rule.Request == "DELETE /roles/{roleId}" && actions.Contains(rule.Action))
            {
                other = await _cube.CreateRoleAsync(tenant, "other", [], []);
            }
        }

        async Task ExpectAsync(Rule rule, string below)
        {
            var parts = rule.Request.Split(' ', 2);
            var path = below + parts[1].Replace("{roleId}", other, StringComparison.Ordinal);
            var (status, body) = await _cube.SendAsync(new HttpMethod(parts[0]), path, user.Token, rule.Body);
            var isAllowed = actions.Contains(rule.Action);
            Assert.True((status != 403) == isAllowed && status < 500, $"{name}: {rule.Request} is {status} {body}");
        }
    }
}

[Collection(EmbeddedEngineCollectionDefinition.Name)]
public sealed class EmbeddedMatrixTests(EmbeddedEngineSystem system) : MatrixTests(system);

[Collection(SpiceDbCollectionDefinition.Name)]
public sealed class SpiceDbMatrixTests(SpiceDbSystem system) : MatrixTests(system);
