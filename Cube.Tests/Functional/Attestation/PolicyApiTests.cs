using System.Diagnostics;
using System.Text.Json;
using Cube.Agent.Evidence;
using Cube.Attestation;
using Cube.Attestation.Appraisal;
using Cube.Attestation.Evidence;
using Cube.Attestation.Policy;
using Cube.Attestation.Verdicts;
using Cube.Tests.Functional.Proxy;
using Cube.Tests.Systems;

namespace Cube.Tests.Functional.Attestation;

/// <summary>The policy API against a complete system.</summary>
[Collection(FakeBackendCollectionDefinition.Name)]
public sealed class PolicyApiTests(FakeBackendSystem system)
{
    private static readonly string[] _simulated = ["simulated"];
    private static readonly string[] _tdx = ["tdx"];
    private static readonly string[] _mrTds = [new string('a', 96)];
    private readonly CubeSystem _cube = system.Reset();

    [Fact]
    public async Task Every_interface_reports_simulated_attestation()
    {
        var tenant = await _cube.CreateTenantAsync();
        using var response = await _cube.SendRawAsync(HttpMethod.Post, $"{tenant.Api}/chat/completions", tenant.Token, TenantIsolationTests.Chat);
        Assert.Equal(200, (int)response.StatusCode);
        Assert.Equal("simulated", response.Headers.GetValues("x-cube-attestation").Single());
        using var models = await _cube.SendRawAsync(HttpMethod.Get, $"{tenant.Api}/models", tenant.Token);
        Assert.Equal("simulated", models.Headers.GetValues("x-cube-attestation").Single());
        var (_, health) = await _cube.SendAsync(HttpMethod.Get, "/health", null);
        Assert.Equal("simulated", health.GetProperty("attestation").GetString());
        var (status, body) = await _cube.SendAsync(HttpMethod.Get, $"/proxy/{tenant.Domain}/attestation/verify", tenant.Token);
        Assert.Equal(200, status);
        var backend = body.GetProperty("backends")[0];
        Assert.Equal("attested", backend.GetProperty("state").GetString());
        Assert.Equal("simulated", backend.GetProperty("verdict").GetProperty("outcome").GetString());
        Assert.StartsWith("backend-", backend.GetProperty("backend").GetString(), StringComparison.Ordinal);
        Assert.NotEqual(0, backend.GetProperty("verdict").GetProperty("findings").GetArrayLength());
    }

    [Fact]
    public async Task A_caller_receives_evidence_of_the_machine_that_serves_the_domain()
    {
        var tenant = await _cube.CreateTenantAsync();
        var (status, evidence) = await _cube.SendAsync(
            HttpMethod.Post, $"/proxy/{tenant.Domain}/attestation", tenant.Token, new { report_data = Convert.ToBase64String(new byte[64]), nonce = Convert.ToBase64String(new byte[32]), to_json = true });
        Assert.Equal(200, status);
        Assert.Equal("simulated", evidence.GetProperty("type").GetString());
        var statement = JsonElement.Parse(evidence.GetProperty("parts").GetProperty("simulated").GetProperty("statement").GetString()!);
        Assert.Equal(Convert.ToHexStringLower(AttestationEndpoint.ReportData(new byte[64], new byte[32])), statement.GetProperty("report_data").GetString());
        foreach (var bad in (object[])[new { report_data = Convert.ToBase64String(new byte[65]) }, new { nonce = "!" }, new { surprise = 1 }])
        {
            Assert.Equal(400, (await _cube.SendAsync(HttpMethod.Post, $"/proxy/{tenant.Domain}/attestation", tenant.Token, bad)).Status);
        }

        var stranger = await _cube.CreateTenantAsync();
        Assert.Equal(403, (await _cube.SendAsync(HttpMethod.Post, $"/proxy/{tenant.Domain}/attestation", stranger.Token, new { to_json = true })).Status);
    }

    [Fact]
    public async Task A_domain_policy_can_be_stricter_than_the_platform_policy()
    {
        var tenant = await _cube.CreateTenantAsync();
        var other = await _cube.CreateTenantAsync();
        var below = $"/proxy/{tenant.Domain}/attestation/policy";
        Assert.Equal(404, (await _cube.SendAsync(HttpMethod.Get, below, tenant.Token)).Status);
        Assert.Equal(200, await ChatAsync(tenant));

        var (staged, version) = await _cube.SendAsync(HttpMethod.Post, below, tenant.Token, new { types = _tdx, tdx = new { mr_tds = _mrTds } });
        Assert.Equal((201, "staged", 1), (staged, version.GetProperty("state").GetString(), version.GetProperty("version").GetInt32()));
        Assert.Equal(200, await ChatAsync(tenant));

        var (_, trial) = await _cube.SendAsync(HttpMethod.Post, $"{below}/dry-run", tenant.Token, new { version = 1 });
        Assert.Equal(1, trial.GetProperty("would_refuse").GetInt32());
        Assert.Contains(trial.GetProperty("backends")[0].GetProperty("verdict").GetProperty("findings").EnumerateArray(),
            static finding => finding.GetProperty("field").GetString() == "types" && !finding.GetProperty("ok").GetBoolean());

        Assert.Equal(200, (await _cube.SendAsync(HttpMethod.Post, $"{below}/activate", tenant.Token, new { version = 1 })).Status);
        var (refused, error) = await _cube.SendAsync(HttpMethod.Post, $"{tenant.Api}/chat/completions", tenant.Token, TenantIsolationTests.Chat);
        Assert.Equal((503, "attestation_required"), (refused, error.GetProperty("error").GetProperty("code").GetString()));
        Assert.Equal(200, await ChatAsync(other));
        var (_, verify) = await _cube.SendAsync(HttpMethod.Get, $"/proxy/{tenant.Domain}/attestation/verify", tenant.Token);
        Assert.Equal(("refused", "policy-types"), (verify.GetProperty("backends")[0].GetProperty("state").GetString(), verify.GetProperty("backends")[0].GetProperty("verdict").GetProperty("code").GetString()));

        using var deleted = await _cube.SendRawAsync(HttpMethod.Delete, below, tenant.Token);
        Assert.Equal(204, (int)deleted.StatusCode);
        Assert.Equal(200, await ChatAsync(tenant));
        var (_, versions) = await _cube.SendAsync(HttpMethod.Get, $"{below}/versions", tenant.Token);
        Assert.Equal("retired", versions.GetProperty("versions")[0].GetProperty("state").GetString());
    }

    [Fact]
    public async Task Rollback_is_possible_only_to_a_version_that_was_active()
    {
        var tenant = await _cube.CreateTenantAsync();
        var below = $"/proxy/{tenant.Domain}/attestation/policy";
        for (var i = 0; i < 3; i++)
        {
            Assert.Equal(201, (await _cube.SendAsync(HttpMethod.Post, below, tenant.Token, new { types = _simulated })).Status);
        }

        Assert.Equal(200, await ActivateAsync(2));
        Assert.Equal(409, await ActivateAsync(1));
        Assert.Equal(200, await ActivateAsync(3));
        Assert.Equal(200, await ActivateAsync(2));
        Assert.Equal(404, await ActivateAsync(9));
        Assert.Equal(400, (await _cube.SendAsync(HttpMethod.Post, $"{below}/activate", tenant.Token, new { version = "two" })).Status);

        async Task<int> ActivateAsync(int version) => (await _cube.SendAsync(HttpMethod.Post, $"{below}/activate", tenant.Token, new { version })).Status;
    }

    [Theory]
    [InlineData("""{"types":["simulated"],"surprise":1}""")]
    [InlineData("""{"types":["simulated"],"types":[]}""")]
    [InlineData("""{"types":["vtpm"]}""")]
    [InlineData("""{"types":["sev-snp"]}""")]
    [InlineData("""{"types":["sev-snp"],"snp":{"measurements":[]}}""")]
    [InlineData("""{"types":["sev-snp"],"snp":{"measurements":["ab"]}}""")]
    [InlineData("""{"types":["sev-snp"],"snp":{"measurement":"ab"}}""")]
    [InlineData("""{"types":["tdx"],"tdx":{"mr_tds":null}}""")]
    [InlineData("""{"types":["simulated"],"lease_seconds":1}""")]
    [InlineData("""{"types":["simulated"],"bindings":["none"]}""")]
    [InlineData("""{"types":"simulated"}""")]
    [InlineData("""{"types":[]}""")]
    [InlineData("{}")]
    [InlineData("""{"types":["simulated"],"bindings":["lease-key"]}""")]
    [InlineData("[]")]
    [InlineData("{")]
    public async Task An_invalid_policy_is_not_saved(string policy)
    {
        var tenant = await _cube.CreateTenantAsync();
        var (status, body) = await _cube.SendAsync(
            HttpMethod.Post, $"/proxy/{tenant.Domain}/attestation/policy", tenant.Token, new StringContent(policy, System.Text.Encoding.UTF8, "application/json"));
        Assert.Equal((400, "invalid_value"), (status, body.GetProperty("error").GetProperty("code").GetString()));
    }

    [Fact]
    public async Task Only_platform_administrators_manage_the_platform_policy()
    {
        var tenant = await _cube.CreateTenantAsync();
        var admin = (await _cube.LoginAsync()).Access;
        (HttpMethod, string, object?)[] requests =
        [
            (HttpMethod.Get, "/attestation/policy", null), (HttpMethod.Get, "/attestation/policy/versions", null), (HttpMethod.Get, "/attestation/verify", null),
            (HttpMethod.Post, "/attestation/policy", new { types = Array.Empty<string>() }), (HttpMethod.Post, "/attestation/policy/activate", new { version = 1 }),
            (HttpMethod.Post, "/attestation/policy/dry-run", new { types = Array.Empty<string>() }),
        ];
        foreach (var (method, path, body) in requests)
        {
            Assert.Equal(401, (await _cube.SendAsync(method, path, null, body)).Status);
            Assert.Equal(401, (await _cube.SendAsync(method, path, "nonsense", body)).Status);
            Assert.Equal(403, (await _cube.SendAsync(method, path, tenant.Token, body)).Status);
        }

        Assert.Equal(200, (await _cube.SendAsync(HttpMethod.Get, $"/attestation/verify?domain_id={tenant.Domain}", tenant.Token)).Status);
        Assert.Equal(403, (await _cube.SendAsync(HttpMethod.Get, $"/attestation/verify?domain_id={Guid.NewGuid()}", tenant.Token)).Status);
        Assert.Equal(400, (await _cube.SendAsync(HttpMethod.Get, "/attestation/verify?domain_id=x", admin)).Status);
        var (status, policy) = await _cube.SendAsync(HttpMethod.Get, "/attestation/policy", admin);
        Assert.Equal((200, "active"), (status, policy.GetProperty("state").GetString()));
        var (_, verify) = await _cube.SendAsync(HttpMethod.Get, "/attestation/verify", admin);
        Assert.StartsWith("https://127.0.0.1:", verify.GetProperty("backends")[0].GetProperty("backend").GetString(), StringComparison.Ordinal);
        var verdict = verify.GetProperty("backends")[0].GetProperty("verdict");
        var hash = verdict.GetProperty("evidence_sha256").GetString()!;
        Assert.Equal(403, (await _cube.SendAsync(HttpMethod.Get, $"/attestation/evidence?sha256={hash}", tenant.Token)).Status);
        Assert.Equal(404, (await _cube.SendAsync(HttpMethod.Get, $"/attestation/evidence?sha256={new string('0', 64)}", admin)).Status);
        Assert.Equal(400, (await _cube.SendAsync(HttpMethod.Get, "/attestation/evidence", admin)).Status);
        JsonElement kept = default;
        await Eventually.TrueAsync(async () =>
        {
            (var found, kept) = await _cube.SendAsync(HttpMethod.Get, $"/attestation/evidence?sha256={hash}", admin);
            return found == 200;
        }, "the evidence is kept");
        // The stored Evidence leads to the same verdict.
        Assert.True(EvidenceJson.TryRead(System.Text.Encoding.UTF8.GetBytes(kept.GetRawText()), out var evidence, out _, out _));
        Assert.Equal(hash, Convert.ToHexStringLower(evidence!.Sha256()));
        var repeated = new EvidenceVerifier(new VerifierSettings { AllowSimulated = true }).Verify(
            evidence, new BindingContext(Convert.FromHexString(verdict.GetProperty("binder").GetString()!), Binding.Connection, "given", []),
            [new("platform", 1, PolicyJson.Parse("""{"types":["simulated"]}"""u8, allowSimulated: true))], verdict.GetProperty("evaluated_at").GetDateTimeOffset());
        Assert.Equal(Outcome.Simulated, repeated.Outcome);
        var (_, trial) = await _cube.SendAsync(HttpMethod.Post, "/attestation/policy/dry-run", admin, new { types = Array.Empty<string>() });
        Assert.Equal("policy-empty", trial.GetProperty("backends")[0].GetProperty("verdict").GetProperty("code").GetString());
    }

    [Fact]
    public async Task Only_platform_administrators_import_collateral_and_only_signed_documents()
    {
        const string Path = "/attestation/collateral";
        var tenant = await _cube.CreateTenantAsync();
        var admin = (await _cube.LoginAsync()).Access;
        foreach (var token in (string?[])[null, tenant.Token])
        {
            Assert.Equal(token is null ? 401 : 403, (await _cube.SendAsync(HttpMethod.Get, Path, token)).Status);
            Assert.Equal(token is null ? 401 : 403, (await _cube.SendAsync(HttpMethod.Post, Path, token, new { collateral = Array.Empty<object>() })).Status);
        }

        foreach (var bad in (string[])["", "[]", "{}", "{\"collateral\":[]}", "{\"collateral\":[null]}", "{\"collateral\":[{\"name\":\"a\"}]}", "{\"collateral\":[{\"name\":\"a\",\"content\":\"!\"}]}",
            "{\"collateral\":[{\"name\":\"a\",\"content\":\"AA==\",\"surprise\":1}]}", "{\"collateral\":[{\"name\":\"a\",\"name\":\"a\",\"content\":\"AA==\"}]}", "{\"collateral\":[{\"name\":\"amd-crl/vcek/Milan\",\"content\":\"AA==\"}]}"])
        {
            var (refused, error) = await _cube.SendAsync(HttpMethod.Post, Path, admin, new StringContent(bad, System.Text.Encoding.UTF8, "application/json"));
            Assert.Equal((400, "invalid_value"), (refused, error.GetProperty("error").GetString()));
        }

        Assert.Equal(0, (await _cube.SendAsync(HttpMethod.Get, Path, admin)).Body.GetProperty("collateral").GetArrayLength());
        Assert.SkipUnless(Vectors.AreAvailable, Vectors.Absent);
        // The certificate of a real chip, valid for seven years.
        var evidence = new EvidenceDocument { Type = EvidenceType.SevSnp, Report = await File.ReadAllBytesAsync(System.IO.Path.Combine(Vectors.Of("snp/milan-v3-vcek"), "report.bin")) };
        var name = CollateralName.Vcek(CollateralRequirements.Of(evidence).VcekPath!);
        var content = await File.ReadAllBytesAsync(System.IO.Path.Combine(Vectors.Of("snp/milan-v3-vcek"), "vek.der"));
        var (status, taken) = await _cube.SendAsync(HttpMethod.Post, Path, admin, new { collateral = new[] { new { name, content } } });
        Assert.Equal(200, status);
        var (_, listed) = await _cube.SendAsync(HttpMethod.Get, Path, admin);
        Assert.Equal(taken.GetRawText(), listed.GetRawText());
        Assert.Equal(name, listed.GetProperty("collateral")[0].GetProperty("name").GetString());
        Assert.Equal(content, listed.GetProperty("collateral")[0].GetProperty("content").GetBytesFromBase64());
        // The exported file can be imported unchanged.
        Assert.Equal(200, (await _cube.SendAsync(HttpMethod.Post, Path, admin, listed)).Status);
    }

    [Fact]
    public async Task A_policy_in_the_earlier_format_is_converted_when_it_is_saved()
    {
        var tenant = await _cube.CreateTenantAsync();
        var measurement = Convert.ToBase64String([.. Enumerable.Repeat((byte)0xAB, 48)]);
        var (status, version) = await _cube.SendAsync(HttpMethod.Post, $"/proxy/{tenant.Domain}/attestation/policy", tenant.Token, new
        {
            pcr_values = new { sha256 = new { }, sha384 = new { }, sha1 = new { } },
            policy = new { measurement, minimum_tcb = "8286623314361712643", minimum_version = "1.55", minimum_build = 4, policy = 196608, product = new { name = "SEV_PRODUCT_MILAN" }, vmpl = new { value = 0 } },
            root_of_trust = new { check_crl = true },
        });
        Assert.Equal(201, status);
        var snp = version.GetProperty("policy").GetProperty("snp");
        Assert.Equal(string.Concat(Enumerable.Repeat("ab", 48)), snp.GetProperty("measurements")[0].GetString());
        Assert.Equal("1.55.4", snp.GetProperty("minimum_firmware").GetString());
        Assert.True(snp.GetProperty("require_crl").GetBoolean());
        // 0x7300000000000003: the layout of Milan
        Assert.Equal((3, 0, 0, 115), (snp.GetProperty("minimum_tcb").GetProperty("Milan").GetProperty("bootloader").GetInt32(), snp.GetProperty("minimum_tcb").GetProperty("Milan").GetProperty("tee").GetInt32(),
            snp.GetProperty("minimum_tcb").GetProperty("Milan").GetProperty("snp").GetInt32(), snp.GetProperty("minimum_tcb").GetProperty("Milan").GetProperty("microcode").GetInt32()));
    }

    [Fact]
    public async Task A_running_stream_continues_only_if_its_machine_satisfies_the_changed_policy()
    {
        await using var machine = await FaultyAttester.StartAsync();
        var database = await system.Postgres.CreateDatabaseAsync();
        var address = await _cube.StartAnotherProxyAsync(new("services__agent__https__0", machine.Address), new("ConnectionStrings__proxy", database));
        var second = await _cube.StartAnotherProxyAsync(new("services__agent__https__0", machine.Address), new("ConnectionStrings__proxy", database));
        var tenant = await _cube.CreateTenantAsync();
        var admin = (await _cube.LoginAsync()).Access;
        using var http = new HttpClient(new SocketsHttpHandler { UseProxy = false }) { BaseAddress = address };
        machine.Hold = new TaskCompletionSource();
        using var running = await StreamAsync(http);
        await ActivateAsync("""{"types":["simulated"],"lease_seconds":300}""");
        await Task.Delay(TimeSpan.FromSeconds(6));
        machine.Hold.SetResult();
        Assert.EndsWith("data: [DONE]\n\n", await running.Content.ReadAsStringAsync(), StringComparison.Ordinal);

        machine.Hold = new TaskCompletionSource();
        using var doomed = await StreamAsync(http);
        using var elsewhere = new HttpClient(new SocketsHttpHandler { UseProxy = false }) { BaseAddress = second };
        using var doomedElsewhere = await StreamAsync(elsewhere);
        var since = Stopwatch.StartNew();
        await ActivateAsync("""{"types":["tdx"],"tdx":{"mr_tds":["aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"]}}""");
        // After the acknowledgement, this proxy rejects immediately, the other one within a second.
        Assert.Equal(503, (int)(await StreamAsync(http)).StatusCode);
        await Eventually.TrueAsync(async () => (int)(await StreamAsync(elsewhere)).StatusCode == 503, "the other proxy refuses", 2);
        Assert.True(since.Elapsed < TimeSpan.FromSeconds(2), $"{since.Elapsed}");
        await Assert.ThrowsAnyAsync<Exception>(() => doomed.Content.ReadAsStringAsync().WaitAsync(TimeSpan.FromSeconds(8)));
        await Assert.ThrowsAnyAsync<Exception>(() => doomedElsewhere.Content.ReadAsStringAsync().WaitAsync(TimeSpan.FromSeconds(8)));
        Assert.True(since.Elapsed < TimeSpan.FromSeconds(6), $"{since.Elapsed}");
        Assert.Empty(machine.Leaked);

        async Task<HttpResponseMessage> StreamAsync(HttpClient client)
        {
            using var request = new HttpRequestMessage(HttpMethod.Post, $"{tenant.Api}/chat/completions") { Content = new StringContent("""{"model":"m","stream":true,"messages":[{"role":"user","content":"hi"}]}""", System.Text.Encoding.UTF8, "application/json") };
            request.Headers.Authorization = new("Bearer", tenant.Token);
            return await client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);
        }

        async Task ActivateAsync(string policy)
        {
            using var staging = new HttpRequestMessage(HttpMethod.Post, "/attestation/policy") { Content = new StringContent(policy, System.Text.Encoding.UTF8, "application/json") };
            staging.Headers.Authorization = new("Bearer", admin);
            using var staged = await http.SendAsync(staging);
            var version = JsonElement.Parse(await staged.Content.ReadAsStringAsync()).GetProperty("version").GetInt32();
            using var activating = new HttpRequestMessage(HttpMethod.Post, "/attestation/policy/activate") { Content = new StringContent($$"""{"version":{{version}}}""", System.Text.Encoding.UTF8, "application/json") };
            activating.Headers.Authorization = new("Bearer", admin);
            using var activated = await http.SendAsync(activating);
            Assert.Equal(200, (int)activated.StatusCode);
        }
    }

    private async Task<int> ChatAsync(Tenant tenant) => (await _cube.SendAsync(HttpMethod.Post, $"{tenant.Api}/chat/completions", tenant.Token, TenantIsolationTests.Chat)).Status;
}
