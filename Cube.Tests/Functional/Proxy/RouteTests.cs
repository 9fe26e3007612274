using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;
using Cube.Tests.Systems;

namespace Cube.Tests.Functional.Proxy;

/// <summary>Administration of routes by platform administrators, and the selection of a route for a request.</summary>
[Collection(RouteCollectionDefinition.Name)]
public sealed class RouteTests(RouteSystem system)
{
    private static int _number;
    private readonly CubeSystem _cube = system.Cube;

    public static TheoryData<string, string> Refused => new()
    {
        { """{"target_url":"http://127.0.0.1:1","matchers":[{"condition":"path","pattern":"/x"}]}""", "https" },
        { """{"target_url":"http://127.0.0.1:1","default_rule":false,"atls":true,"matchers":[{"condition":"path","pattern":"/x"}]}""", "requires TLS" },
        { """{"target_url":"https://127.0.0.1:1","atls":false,"matchers":[{"condition":"path","pattern":"/x"}]}""", "atls must be true" },
        { """{"target_url":"http://127.0.0.1:1","atls":false,"matchers":[{"condition":"path","pattern":"/x"}]}""", "atls must be true" },
        { """{"target_url":"127.0.0.1:1","matchers":[{"condition":"path","pattern":"/x"}]}""", "target_url" },
        { """{"target_url":"https://user:secret@127.0.0.1","matchers":[{"condition":"path","pattern":"/x"}]}""", "no user" },
        { """{"target_url":"https://127.0.0.1/?a=b","matchers":[{"condition":"path","pattern":"/x"}]}""", "query" },
        { """{"target_url":"ftp://127.0.0.1","matchers":[{"condition":"path","pattern":"/x"}]}""", "https" },
        { """{"matchers":[{"condition":"path","pattern":"/x"}]}""", "target_url is required" },
        { """{"target_url":"https://a"}""", "matchers" },
        { """{"target_url":"https://a","matchers":[null]}""", "matchers[0]" },
        { """{"target_url":"https://a","matchers":[{"condition":"weather","pattern":"/x"}]}""", "matchers[0].condition" },
        { """{"target_url":"https://a","matchers":[{"condition":1,"pattern":"/x"}]}""", "matchers[0]" },
        { """{"target_url":"https://a","matchers":[{"condition":"header","pattern":"/x"}]}""", "matchers[0].field" },
        { """{"target_url":"https://a","matchers":[{"condition":"query_param","pattern":"/x"}]}""", "matchers[0].field" },
        { """{"target_url":"https://a","matchers":[{"condition":"body_field","pattern":"/x"}]}""", "matchers[0].field" },
        { """{"target_url":"https://a","matchers":[{"condition":"path","pattern":""}]}""", "matchers[0].pattern" },
        { """{"target_url":"https://a","matchers":[{"condition":"path","pattern":"(","is_regex":true}]}""", "regular expression" },
        { """{"target_url":"https://a","matchers":[{"condition":"path","pattern":"(a)\\1","is_regex":true}]}""", "linear time" },
        { """{"target_url":"https://a","matchers":[{"condition":"body_regex","pattern":"["}]}""", "regular expression" },
        { """{"target_url":"https://a","matchers":[{"condition":"path","pattern":"/x","nonsense":1}]}""", "matchers[0].nonsense" },
        { """{"target_url":"https://a","priority":1001,"matchers":[{"condition":"path","pattern":"/x"}]}""", "priority" },
        { """{"target_url":"https://a","priority":-1,"matchers":[{"condition":"path","pattern":"/x"}]}""", "priority" },
        { """{"target_url":"https://a","priority":"5","matchers":[{"condition":"path","pattern":"/x"}]}""", "$.priority" },
        { """{"target_url":"https://a","strip_prefix":"v1","matchers":[{"condition":"path","pattern":"/x"}]}""", "strip_prefix" },
        { """{"target_url":"https://a","event_type":"party","matchers":[{"condition":"path","pattern":"/x"}]}""", "event_type" },
        { """{"target_url":"https://a","target_url":"https://b","matchers":[{"condition":"path","pattern":"/x"}]}""", "$.target_url" },
        { """{"target_url":"https://a","policy":{"types":["quantum"]},"matchers":[{"condition":"path","pattern":"/x"}]}""", "policy:" },
        { """{"target_url":"https://a","policy":{"unknown":1},"matchers":[{"condition":"path","pattern":"/x"}]}""", "policy:" },
        { """{"target_url":"https://a","policy":"strict","matchers":[{"condition":"path","pattern":"/x"}]}""", "policy:" },
        { """{"name":"attestation","target_url":"https://a","matchers":[{"condition":"path","pattern":"/x"}]}""", "Cube itself" },
        { """{"name":"health","target_url":"https://a","matchers":[{"condition":"path","pattern":"/x"}]}""", "Cube itself" },
        { """{"name":"a b","target_url":"https://a","matchers":[{"condition":"path","pattern":"/x"}]}""", "name" },
        { """{"name":"","target_url":"https://a","matchers":[{"condition":"path","pattern":"/x"}]}""", "name" },
        { """{"name":null,"target_url":"https://a","matchers":[{"condition":"path","pattern":"/x"}]}""", "name is required" },
        { """[]""", "JSON object" },
        { """null""", "not a route" },
        { """{""", "JSON object" },
    };

    [Theory]
    [MemberData(nameof(Refused))]
    public async Task An_invalid_route_is_rejected_with_the_reason(string body, string says)
    {
        var text = body.Contains("\"name\"", StringComparison.Ordinal) || !body.StartsWith("{\"", StringComparison.Ordinal) ? body : body.Replace("{\"target_url\"", "{\"name\":\"refused\",\"target_url\"", StringComparison.Ordinal).Replace("{\"matchers\"", "{\"name\":\"refused\",\"matchers\"", StringComparison.Ordinal);
        var (status, answer) = await SendAsync(HttpMethod.Post, "/api/routes", text);
        Assert.Equal((400, "invalid_value"), (status, answer.GetProperty("error").GetString()));
        Assert.Contains(says, answer.GetProperty("message").GetString()!, StringComparison.Ordinal);
        Assert.Equal(404, (await SendAsync(HttpMethod.Get, "/api/routes/refused")).Status);
    }

    [Fact]
    public async Task A_route_can_be_created_read_listed_renamed_and_deleted()
    {
        var name = NewName();
        var route = $$"""{"name":"{{name}}","target_url":"https://127.0.0.1:1","priority":7,"matchers":[{"condition":"query_param","field":"x","pattern":"a.c","is_regex":true}],"enabled":null,"event_type":"audit_event"}""";
        using var created = await SendRawAsync(HttpMethod.Post, "/proxy/api/routes", route);
        Assert.Equal($"/api/routes/{name}", created.Headers.Location!.ToString());
        var (status, found) = await SendAsync(HttpMethod.Get, $"/api/v1/routes/{name}");
        Assert.Equal((200, 7, "query_param", true, "audit_event", true), (
            status, found.GetProperty("priority").GetInt32(), found.GetProperty("matchers")[0].GetProperty("condition").GetString(), found.GetProperty("enabled").GetBoolean(),
            found.GetProperty("event_type").GetString(), found.GetProperty("atls").GetBoolean()));
        Assert.Equal((409, "conflict"), await ErrorAsync(HttpMethod.Post, "/api/routes", route));
        Assert.Equal((409, "conflict"), await ErrorAsync(HttpMethod.Post, "/api/routes", """{"name":"another-default","target_url":"https://a","default_rule":true}"""));
        Assert.Equal((409, "conflict"), await ErrorAsync(HttpMethod.Put, $"/api/routes/{name}", route.Replace(name, "agent", StringComparison.Ordinal)));

        var (_, list) = await SendAsync(HttpMethod.Get, "/api/routes?offset=0&limit=100");
        var names = list.GetProperty("routes").EnumerateArray().Select(static item => (Priority: item.GetProperty("priority").GetInt32(), Name: item.GetProperty("name").GetString()!)).ToList();
        Assert.Equal(names.OrderByDescending(static item => item.Priority).ThenBy(static item => item.Name, StringComparer.Ordinal), names);
        Assert.Contains(names, static item => item.Name == "agent");
        Assert.Equal(1, (await SendAsync(HttpMethod.Get, "/api/routes?limit=1")).Body.GetProperty("routes").GetArrayLength());
        foreach (var query in (string[])["limit=0", "limit=101", "limit=x", "offset=-1"])
        {
            Assert.Equal((400, "invalid_value"), await ErrorAsync(HttpMethod.Get, $"/api/routes?{query}"));
        }

        var (updated, renamed) = await SendAsync(HttpMethod.Put, $"/api/routes/{name}", route.Replace(name, $"{name}-2", StringComparison.Ordinal));
        Assert.Equal((200, $"{name}-2", found.GetProperty("id").GetGuid()), (updated, renamed.GetProperty("name").GetString(), renamed.GetProperty("id").GetGuid()));
        Assert.Equal((404, "not_found"), await ErrorAsync(HttpMethod.Get, $"/api/routes/{name}"));
        Assert.Equal((404, "not_found"), await ErrorAsync(HttpMethod.Put, $"/api/routes/{name}", route));
        Assert.Equal("route deleted successfully", (await SendAsync(HttpMethod.Delete, $"/api/routes/{name}-2")).Body.GetProperty("message").GetString());
        Assert.Equal((404, "not_found"), await ErrorAsync(HttpMethod.Delete, $"/api/routes/{name}-2"));
        Assert.Equal(405, (await SendAsync(HttpMethod.Patch, "/api/routes/agent", "{}")).Status);
        using var plain = await SendRawAsync(HttpMethod.Post, "/api/routes", route, "text/plain");
        Assert.Equal(415, (int)plain.StatusCode);
    }

    [Fact]
    public async Task Only_platform_administrators_read_or_change_routes()
    {
        var tenant = await _cube.CreateTenantAsync();
        foreach (var path in (string[])["/api/routes", "/api/v1/routes", "/proxy/api/routes", "/api/routes/agent", "/api/routes/agent/attestation/policy"])
        {
            Assert.Equal(401, (await _cube.SendAsync(HttpMethod.Get, path, null)).Status);
            Assert.Equal(403, (await _cube.SendAsync(HttpMethod.Get, path, tenant.Token)).Status);
        }

        var evil = $$"""{"name":"{{NewName()}}","target_url":"https://evil.example","priority":1000,"matchers":[{"condition":"path","pattern":".*","is_regex":true}]}""";
        Assert.Equal(403, (await _cube.SendAsync(HttpMethod.Post, "/api/routes", tenant.Token, Json(evil))).Status);
        Assert.Equal(403, (await _cube.SendAsync(HttpMethod.Delete, "/api/routes/agent", tenant.Token)).Status);
        Assert.Equal(403, (await _cube.SendAsync(HttpMethod.Post, "/api/routes/agent/attestation/policy", tenant.Token, Json("""{"types":["simulated"]}"""))).Status);
    }

    public static TheoryData<string, string, string?, string> Matching => new()
    {
        { """{"condition":"path","pattern":"/v1/chat/completions"}""", "", null, """{"model":"m","messages":[{"role":"user","content":"hi"}]}""" },
        { """{"condition":"path","pattern":"^/DOMAIN/v1/chat/","is_regex":true}""", "", null, """{"model":"m","messages":[{"role":"user","content":"hi"}]}""" },
        { """{"condition":"path","pattern":"/DOMAIN/v1/chat/completions"}""", "", null, """{"model":"m","messages":[{"role":"user","content":"hi"}]}""" },
        { """{"condition":"header","field":"X-Tier","pattern":"gold"}""", "", "X-Tier: gold", """{"model":"m","messages":[{"role":"user","content":"hi"}]}""" },
        { """{"condition":"header","field":"x-tier","pattern":"^go","is_regex":true}""", "", "X-Tier: gold", """{"model":"m","messages":[{"role":"user","content":"hi"}]}""" },
        { """{"condition":"query_param","field":"tier","pattern":"gold"}""", "?tier=gold", null, """{"model":"m","messages":[{"role":"user","content":"hi"}]}""" },
        { """{"condition":"body_field","field":"user","pattern":"ann"}""", "", null, """{"messages":[{"role":"user","user":"bob","content":"hi"}],"user":"\u0061nn","model":"m"}""" },
        { """{"condition":"body_field","field":"metadata.team","pattern":"red"}""", "", null, """{"model":"m","messages":[{"role":"user","content":"hi"}],"metadata":{"a":[1,{"team":"blue"}],"team":"red"}}""" },
        { """{"condition":"body_field","field":"temperature","pattern":"0.50"}""", "", null, """{"model":"m","messages":[{"role":"user","content":"hi"}],"temperature":0.50}""" },
        { """{"condition":"body_field","field":"stream","pattern":"false"}""", "", null, """{"model":"m","messages":[{"role":"user","content":"hi"}],"stream":false}""" },
        { """{"condition":"body_regex","pattern":"\"tea+m\""}""", "", null, """{"model":"m","messages":[{"role":"user","content":"hi"}],"metadata":{"teaaam":"x"}}""" },
    };

    [Theory]
    [MemberData(nameof(Matching))]
    public async Task A_route_serves_only_the_requests_that_it_matches(string matcher, string query, string? header, string body)
    {
        var tenant = await _cube.CreateTenantAsync();
        var name = NewName();
        var own = $$"""{"condition":"path","pattern":"/{{tenant.Domain}}/","is_regex":true}""";
        await SaveAsync($$"""{"name":"{{name}}","target_url":"{{system.Machine.Address}}","priority":10,"matchers":[{{own}},{{matcher.Replace("DOMAIN", $"{tenant.Domain}", StringComparison.Ordinal)}}]}""");
        Assert.Equal((200, "machine"), await ChatAsync(tenant, query, header, body));
        // A request without the property that the matcher requires. For a path matcher, it is another endpoint.
        Assert.Equal((200, "agent"), matcher.Contains("\"path\"", StringComparison.Ordinal)
            ? await ChatAsync(tenant, "", null, """{"model":"m","prompt":"x"}""", "completions")
            : await ChatAsync(tenant, "?tier=silver", "X-Tier: silver", """{"model":"m","messages":[{"role":"user","content":"hi"}],"user":"bob","stream":null,"temperature":0.5}"""));
        // The domain id in the URL is not case-sensitive.
        Assert.Equal((200, "machine"), await ChatAsync(tenant, query, header, body, upperCase: true));
        await SendAsync(HttpMethod.Delete, $"/api/routes/{name}");
        Assert.Equal((200, "agent"), await ChatAsync(tenant, query, header, body));
    }

    [Fact]
    public async Task The_route_with_the_highest_priority_is_used_and_disabled_routes_are_not()
    {
        var tenant = await _cube.CreateTenantAsync();
        var (low, high) = (NewName(), NewName());
        string Route(string name, string target, int priority, bool enabled = true) =>
            $$"""{"name":"{{name}}","target_url":"{{target}}","priority":{{priority}},"enabled":{{(enabled ? "true" : "false")}},"matchers":[{"condition":"path","pattern":"/{{tenant.Domain}}/","is_regex":true}]}""";
        await SaveAsync(Route(low, "https://agent", 1));
        await SaveAsync(Route(high, system.Machine.Address, 2));
        Assert.Equal((200, "machine"), await ChatAsync(tenant));
        await SendAsync(HttpMethod.Put, $"/api/routes/{high}", Route(high, system.Machine.Address, 2, enabled: false));
        Assert.Equal((200, "agent"), await ChatAsync(tenant));
        await SendAsync(HttpMethod.Put, $"/api/routes/{high}", Route(high, system.Machine.Address, 0));
        Assert.Equal((200, "agent"), await ChatAsync(tenant));
        await SendAsync(HttpMethod.Delete, $"/api/routes/{low}");
        Assert.Equal((200, "machine"), await ChatAsync(tenant));
        // The second proxy has received all changes.
        using var other = new HttpClient(new SocketsHttpHandler { UseProxy = false }) { BaseAddress = system.Other };
        await Eventually.TrueAsync(async () => await ChatAsync(tenant, client: other) == (200, "machine"), "the other proxy takes the same route", 2);
        await SendAsync(HttpMethod.Delete, $"/api/routes/{high}");
        await Eventually.TrueAsync(async () => await ChatAsync(tenant, client: other) == (200, "agent"), "the other proxy takes the same route", 2);
    }

    [Fact]
    public async Task A_route_policy_applies_in_addition_to_platform_and_domain_policies()
    {
        var tenant = await _cube.CreateTenantAsync();
        var name = NewName();
        var matchers = $$"""[{"condition":"path","pattern":"/{{tenant.Domain}}/","is_regex":true}]""";
        // The policy becomes active in the same transaction as the route.
        var (status, saved) = await SendAsync(HttpMethod.Post, "/api/routes", 
            $$"""{"name":"{{name}}","target_url":"https://agent","policy":{"snp":{"measurements":["{{new string('a', 96)}}"]},"types":["sev-snp"]},"matchers":{{matchers}}}""");
        Assert.Equal((201, 1, "sev-snp"), (status, saved.GetProperty("policy_version").GetInt32(), saved.GetProperty("policy").GetProperty("types")[0].GetString()));
        Assert.Equal((503, "attestation_required"), await ChatAsync(tenant));
        // Other routes are not affected.
        Assert.Equal((200, "agent"), await ChatAsync(await _cube.CreateTenantAsync()));

        // Members see which machine would be rejected for their requests, and the reason.
        var (_, verify) = await _cube.SendAsync(HttpMethod.Get, $"/proxy/{tenant.Domain}/attestation/verify", tenant.Token);
        Assert.Contains(verify.GetProperty("backends").EnumerateArray(), backend => backend.GetProperty("scope").GetString() == $"route:{saved.GetProperty("id").GetString()}" && backend.GetProperty("state").GetString() == "refused");

        // An update without a policy keeps the policy. A staged version is tested and then activated.
        var (_, kept) = await SendAsync(HttpMethod.Put, $"/api/routes/{name}", $$"""{"target_url":"https://agent","priority":3,"matchers":{{matchers}}}""");
        Assert.Equal(1, kept.GetProperty("policy_version").GetInt32());
        var policyPath = $"/api/routes/{name}/attestation/policy";
        var (_, staged) = await SendAsync(HttpMethod.Post, policyPath, """{"types":["simulated"],"lease_seconds":120}""");
        Assert.Equal((2, "staged"), (staged.GetProperty("version").GetInt32(), staged.GetProperty("state").GetString()));
        Assert.Equal((503, "attestation_required"), await ChatAsync(tenant));
        var (_, trial) = await SendAsync(HttpMethod.Post, $"{policyPath}/dry-run", """{"version":2}""");
        Assert.Equal(0, trial.GetProperty("would_refuse").GetInt32());
        Assert.Equal(200, (await SendAsync(HttpMethod.Post, $"{policyPath}/activate", """{"version":2}""")).Status);
        Assert.Equal((200, "agent"), await ChatAsync(tenant));
        Assert.Equal(2, (await SendAsync(HttpMethod.Get, $"{policyPath}/versions")).Body.GetProperty("total").GetInt32());

        // The policy of the domain still applies. The policy of the route cannot relax it.
        var (_, strict) = await _cube.SendAsync(HttpMethod.Post, $"/proxy/{tenant.Domain}/attestation/policy", tenant.Token, Json("""{"types":["tdx"],"tdx":{"mr_tds":["aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"]}}"""));
        await _cube.SendAsync(HttpMethod.Post, $"/proxy/{tenant.Domain}/attestation/policy/activate", tenant.Token, Json($$"""{"version":{{strict.GetProperty("version").GetInt32()}}}"""));
        Assert.Equal((503, "attestation_required"), await ChatAsync(tenant));
        await _cube.SendAsync(HttpMethod.Delete, $"/proxy/{tenant.Domain}/attestation/policy", tenant.Token);
        Assert.Equal((200, "agent"), await ChatAsync(tenant));

        // A null policy removes the policy of the route.
        await SendAsync(HttpMethod.Put, $"/api/routes/{name}", $$"""{"target_url":"https://agent","policy":{"types":["tdx"],"tdx":{"mr_tds":["aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"]} },"matchers":{{matchers}}}""");
        Assert.Equal((503, "attestation_required"), await ChatAsync(tenant));
        var (_, without) = await SendAsync(HttpMethod.Put, $"/api/routes/{name}", $$"""{"target_url":"https://agent","policy":null,"matchers":{{matchers}}}""");
        Assert.False(without.TryGetProperty("policy", out _));
        Assert.Equal((200, "agent"), await ChatAsync(tenant));
        await SendAsync(HttpMethod.Delete, $"/api/routes/{name}");
    }

    [Fact]
    public async Task A_route_target_without_valid_evidence_receives_no_prompt()
    {
        var tenant = await _cube.CreateTenantAsync();
        await using var machine = await FaultyAttester.StartAsync();
        machine.Defect = Defect.PlainHttps;
        var name = NewName();
        await SaveAsync($$"""{"name":"{{name}}","target_url":"{{machine.Address}}","matchers":[{"condition":"path","pattern":"/{{tenant.Domain}}/","is_regex":true}]}""");
        Assert.Equal((503, "attestation_failed"), await ChatAsync(tenant));
        Assert.Empty(machine.Leaked);
        Assert.Empty(machine.Sound);
        await SendAsync(HttpMethod.Delete, $"/api/routes/{name}");
    }

    [Fact]
    public async Task The_model_list_contains_the_models_of_all_routes()
    {
        var tenant = await _cube.CreateTenantAsync();
        var name = NewName();
        await SaveAsync($$"""{"name":"{{name}}","target_url":"{{system.Machine.Address}}","matchers":[{"condition":"body_field","field":"model","pattern":"machine-only"},{"condition":"path","pattern":"/{{tenant.Domain}}/","is_regex":true}]}""");
        var (_, list) = await _cube.SendAsync(HttpMethod.Get, $"{tenant.Api}/models", tenant.Token);
        Assert.Equal(["m", "machine-only"], list.GetProperty("data").EnumerateArray().Select(static model => model.GetProperty("id").GetString()!).Order(StringComparer.Ordinal));
        Assert.Equal((200, "machine"), await ChatAsync(tenant, body: """{"model":"machine-only","messages":[{"role":"user","content":"hi"}]}"""));
        await SendAsync(HttpMethod.Delete, $"/api/routes/{name}");
        Assert.Equal((404, "model_not_found"), await ChatAsync(tenant, body: """{"model":"machine-only","messages":[{"role":"user","content":"hi"}]}"""));
    }

    private static string NewName() => $"route-{Interlocked.Increment(ref _number)}";

    private static StringContent Json(string body, string type = "application/json") => new(body, Encoding.UTF8, type);

    private async Task SaveAsync(string route)
    {
        var (status, body) = await SendAsync(HttpMethod.Post, "/api/routes", route);
        Assert.True(status == 201, body.GetRawText());
    }

    private async Task<(int Status, JsonElement Body)> SendAsync(HttpMethod method, string path, string? body = null) =>
        await _cube.SendAsync(method, path, system.Administrator, body is null ? null : Json(body));

    private Task<HttpResponseMessage> SendRawAsync(HttpMethod method, string path, string body, string type = "application/json") =>
        _cube.SendRawAsync(method, path, system.Administrator, Json(body, type));

    private async Task<(int Status, string? Error)> ErrorAsync(HttpMethod method, string path, string? body = null)
    {
        var (status, answer) = await SendAsync(method, path, body);
        return (status, answer.GetProperty("error").GetString());
    }

    /// <returns>The name of the machine that answered, or the error code.</returns>
    private async Task<(int Status, string? Who)> ChatAsync(
        Tenant tenant, string query = "", string? header = null, string body = """{"model":"m","messages":[{"role":"user","content":"hi"}]}""", string endpoint = "chat/completions", bool upperCase = false, HttpClient? client = null)
    {
        var domain = upperCase ? tenant.Domain.ToString().ToUpperInvariant() : tenant.Domain.ToString();
        using var request = new HttpRequestMessage(HttpMethod.Post, $"/proxy/{domain}/v1/{endpoint}{query}") { Content = Json(body) };
        request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", tenant.Token);
        if (header?.Split(": ") is [var name, var value])
        {
            request.Headers.Add(name, value);
        }

        using var response = await (client ?? _cube.Http).SendAsync(request);
        var answer = JsonElement.Parse(await response.Content.ReadAsStringAsync());
        return ((int)response.StatusCode, answer.TryGetProperty("error", out var error) ? error.GetProperty("code").GetString()
            : answer.GetProperty("choices")[0] is var choice && choice.TryGetProperty("message", out var message) ? message.GetProperty("content").GetString() : choice.GetProperty("text").GetString());
    }
}
