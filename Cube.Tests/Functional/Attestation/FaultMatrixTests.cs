using System.Net.Http.Json;
using System.Text.Json;
using Cube.Tests.Systems;

namespace Cube.Tests.Functional.Attestation;

/// <summary>
/// Each defect of a machine, with each kind of request, in each state of a connection. A machine
/// without a valid exchange must never receive a byte of a prompt.
/// </summary>
[Collection(FakeBackendCollectionDefinition.Name)]
public sealed class FaultMatrixTests(FakeBackendSystem system)
{
    private const string Canary = "canary-7f3a";
    private static readonly string[] _simulated = ["simulated"];
    private static readonly string[] _states = ["cold", "warm", "reconnect", "retry", "reload", "mid-request"];
    private static readonly (string Path, string Body)[] _requests =
    [
        ("chat/completions", $$"""{"model":"m","messages":[{"role":"user","content":"{{Canary}}"}]}"""),
        ("chat/completions", $$"""{"model":"m","stream":true,"messages":[{"role":"user","content":"{{Canary}}"}]}"""),
        ("completions", $$"""{"model":"m","prompt":"{{Canary}}"}"""),
        ("embeddings", $$"""{"model":"m","input":"{{Canary}}"}"""),
    ];

    public static TheoryData<Defect> Defects => [.. Enum.GetValues<Defect>().Where(static defect => defect != Defect.None)];

    [Fact]
    public void The_matrix_has_at_least_two_hundred_cells() => Assert.True(Defects.Count * _states.Length * _requests.Length >= 200);

    [Fact]
    public async Task A_machine_without_a_valid_exchange_never_receives_a_prompt()
    {
        var cube = system.Reset();
        var tenant = await cube.CreateTenantAsync();
        var admin = (await cube.LoginAsync()).Access;
        await using var machine = await FaultyAttester.StartAsync();
        var database = await system.Postgres.CreateDatabaseAsync();
        var proxy = await cube.StartAnotherProxyAsync(new("services__agent__https__0", machine.Address), new("ConnectionStrings__proxy", database));
        using var http = new HttpClient(new SocketsHttpHandler { UseProxy = false }) { BaseAddress = proxy };
        var cells = 0;
        foreach (var defect in Enum.GetValues<Defect>().Where(static defect => defect != Defect.None))
        {
            foreach (var state in _states)
            {
                machine.Defect = Defect.None;
                machine.Hold = null;
                using var running = await ArrangeAsync(state, defect);
                foreach (var (path, body) in _requests)
                {
                    for (var tries = 0; tries < (state == "retry" ? 3 : 1); tries++)
                    {
                        using var response = await PostAsync(path, body);
                        var status = (int)response.StatusCode;
                        Assert.True(state == "warm" ? status == 200 : status is 502 or 503, $"{defect} {state} {path}: {status}");
                    }

                    Assert.True(machine.Leaked.IsEmpty, $"{defect} {state} {path}: {string.Join(' ', machine.Leaked)}");
                    cells++;
                }
            }
        }

        Assert.True(cells >= 200);
        Assert.Contains(machine.Sound, static body => body.Contains(Canary, StringComparison.Ordinal));

        async Task<HttpResponseMessage?> ArrangeAsync(string state, Defect defect)
        {
            if (state is "cold" or "retry")
            {
                machine.Defect = defect;
                await ActivateAsync();
                machine.Disconnect();
                return null;
            }

            await ActivateAsync();
            await Eventually.TrueAsync(async () =>
            {
                using var response = await PostAsync(_requests[0].Path, _requests[0].Body);
                return response.IsSuccessStatusCode;
            }, $"{defect} {state}: the machine is attested while it is sound");
            HttpResponseMessage? running = null;
            if (state == "mid-request")
            {
                machine.Hold = new TaskCompletionSource();
                running = await PostAsync(_requests[1].Path, _requests[1].Body);
                Assert.True(running.IsSuccessStatusCode);
            }

            machine.Defect = defect;
            switch (state)
            {
                case "reconnect":
                    machine.Disconnect();
                    await Eventually.TrueAsync(async () => (await VerifyAsync()) != "attested", $"{defect}: the proxy has noticed");
                    break;
                case "reload" or "mid-request":
                    // After the acknowledgement, no request uses an earlier verification.
                    await ActivateAsync();
                    break;
            }

            return running;
        }

        Task<HttpResponseMessage> PostAsync(string path, string body) => FaultMatrixTests.PostAsync(http, tenant, path, body);

        async Task ActivateAsync()
        {
            var staged = await SendAsync(HttpMethod.Post, "/attestation/policy", new { types = _simulated });
            await SendAsync(HttpMethod.Post, "/attestation/policy/activate", new { version = staged.GetProperty("version").GetInt32() });
        }

        async Task<string?> VerifyAsync() => (await SendAsync(HttpMethod.Get, "/attestation/verify")).GetProperty("backends")[0].GetProperty("state").GetString();

        async Task<JsonElement> SendAsync(HttpMethod method, string path, object? body = null)
        {
            using var request = new HttpRequestMessage(method, path) { Content = body is null ? null : JsonContent.Create(body) };
            request.Headers.Authorization = new("Bearer", admin);
            using var response = await http.SendAsync(request);
            Assert.True(response.IsSuccessStatusCode, await response.Content.ReadAsStringAsync());
            return await response.Content.ReadFromJsonAsync<JsonElement>();
        }
    }

    [Fact]
    public async Task A_valid_machine_receives_all_requests_and_two_invalid_machines_receive_none()
    {
        var cube = system.Reset();
        var tenant = await cube.CreateTenantAsync();
        await using var sound = await FaultyAttester.StartAsync();
        await using var faulty = await FaultyAttester.StartAsync();
        faulty.Defect = Defect.AnotherBinder;
        var database = await system.Postgres.CreateDatabaseAsync();
        var proxy = await cube.StartAnotherProxyAsync(new("services__agent__https__0", faulty.Address), new("services__agent__https__1", sound.Address), new("ConnectionStrings__proxy", database));
        using var http = new HttpClient(new SocketsHttpHandler { UseProxy = false }) { BaseAddress = proxy };
        foreach (var defect in Enum.GetValues<Defect>().Where(static defect => defect != Defect.None))
        {
            sound.Defect = Defect.None;
            faulty.Defect = defect;
            faulty.Disconnect();
            await Eventually.TrueAsync(async () =>
            {
                using var response = await PostAsync(http, tenant, _requests[0].Path, _requests[0].Body);
                return response.IsSuccessStatusCode;
            }, $"{defect}: the sound machine answers");
            foreach (var (path, body) in _requests)
            {
                using var response = await PostAsync(http, tenant, path, body);
                Assert.True(response.IsSuccessStatusCode, $"{defect} {path}: {response.StatusCode}");
            }

            // The valid machine stops too: no request falls back to the other one.
            sound.Defect = defect;
            sound.Disconnect();
            foreach (var (path, body) in _requests)
            {
                using var response = await PostAsync(http, tenant, path, body);
                Assert.True((int)response.StatusCode is 502 or 503, $"{defect} {path}: {response.StatusCode} {await response.Content.ReadAsStringAsync()}");
            }

            Assert.True(faulty.Leaked.IsEmpty && sound.Leaked.IsEmpty, $"{defect}: {string.Join(' ', faulty.Leaked.Concat(sound.Leaked))}");
        }

        Assert.Empty(faulty.Sound);
    }

    [Fact]
    public async Task A_thousand_concurrent_requests_to_an_unverified_machine_share_its_evidence()
    {
        var cube = system.Reset();
        var tenant = await cube.CreateTenantAsync();
        await using var machine = await FaultyAttester.StartAsync();
        var database = await system.Postgres.CreateDatabaseAsync();
        var proxy = await cube.StartAnotherProxyAsync(new("services__agent__https__0", machine.Address), new("ConnectionStrings__proxy", database));
        using var http = new HttpClient(new SocketsHttpHandler { UseProxy = false }) { BaseAddress = proxy };
        using (var warm = await PostAsync(http, tenant, _requests[0].Path, _requests[0].Body))
        {
            Assert.Equal(200, (int)warm.StatusCode);
        }

        // With a new domain policy there is no connection yet, and a thousand requests need one.
        var before = machine.Exchanges;
        foreach (var (path, body) in new (string, object)[] { ("policy", new { types = _simulated }), ("policy/activate", new { version = 1 }) })
        {
            using var request = new HttpRequestMessage(HttpMethod.Post, $"/proxy/{tenant.Domain}/attestation/{path}") { Content = JsonContent.Create(body) };
            request.Headers.Authorization = new("Bearer", tenant.Token);
            using var answer = await http.SendAsync(request);
            Assert.True(answer.IsSuccessStatusCode, await answer.Content.ReadAsStringAsync());
        }

        var answers = await Task.WhenAll(Enumerable.Range(0, 1000).Select(async _ =>
        {
            using var response = await PostAsync(http, tenant, _requests[0].Path, _requests[0].Body);
            return (int)response.StatusCode;
        }));
        Assert.All(answers, static status => Assert.Equal(200, status));
        // Each connection takes 1,000 requests, and the next one is opened when half of them are in use.
        Assert.InRange(machine.Exchanges - before, 1, 3);
    }

    private static async Task<HttpResponseMessage> PostAsync(HttpClient http, Tenant tenant, string path, string body)
    {
        var request = new HttpRequestMessage(HttpMethod.Post, $"{tenant.Api}/{path}") { Content = new StringContent(body, System.Text.Encoding.UTF8, "application/json") };
        request.Headers.Authorization = new("Bearer", tenant.Token);
        return await http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);
    }
}
