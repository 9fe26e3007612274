using System.Collections.Concurrent;
using System.Net.Http.Headers;
using System.Text;
using Cube.Tests.Systems;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Npgsql;

namespace Cube.Tests.Functional.EndToEnd;

/// <summary>Logs, telemetry and the database contain no content, even with the telemetry settings of Aspire.</summary>
public sealed class ContentLeakTests(PostgresServer postgres)
{
    private const string Prompt = "canary-of-the-prompt";
    private const string Completion = "canary-of-the-completion";
    private const string Password = "canary-of-the-password";

    [Fact]
    public async Task Content_and_secrets_appear_in_no_log_telemetry_or_table()
    {
        await using var telemetry = await OtlpReceiver.StartAsync();
        await using var backend = new FakeBackend
        {
            Answer = static context => FakeBackend.JsonAsync(context, 200, FakeBackend.Chat.Replace("Hello.", Completion, StringComparison.Ordinal)),
        };
        await backend.StartAsync();
        await using var cube = await CubeSystem.StartAsync(postgres, ("vllm", backend.Address),
        [
            new("OTEL_EXPORTER_OTLP_ENDPOINT", telemetry.Address.AbsoluteUri), new("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf"),
            new("OTEL_BSP_SCHEDULE_DELAY", "100"), new("OTEL_BLRP_SCHEDULE_DELAY", "100"), new("OTEL_METRIC_EXPORT_INTERVAL", "300"),
            // The settings of Aspire.
            new("OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT", "true"),
            new("OTEL_DOTNET_EXPERIMENTAL_ASPNETCORE_DISABLE_URL_QUERY_REDACTION", "true"),
            new("OTEL_DOTNET_EXPERIMENTAL_HTTPCLIENT_DISABLE_URL_QUERY_REDACTION", "true"),
        ]);
        var tenant = await cube.CreateTenantAsync(Password);
        const string trace = "4bf92f3577b34da6a3ce929d0e0e4736";
        using var request = new HttpRequestMessage(HttpMethod.Post, $"{tenant.Api}/chat/completions?prompt={Prompt}")
        {
            Content = new StringContent($$"""{"model":"m","messages":[{"role":"user","content":"{{Prompt}}"}]}""", new MediaTypeHeaderValue("application/json")),
        };
        request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", tenant.Token);
        request.Headers.TryAddWithoutValidation("traceparent", $"00-{trace}-00f067aa0ba902b7-01");
        using var response = await cube.Http.SendAsync(request);
        Assert.Contains(Completion, await response.Content.ReadAsStringAsync(), StringComparison.Ordinal);

        await cube.SendAsync(HttpMethod.Get, $"{tenant.Api}/models?access_token={tenant.Token}", null);
        await cube.SendAsync(HttpMethod.Post, "/users/tokens/issue", null, new { username = Password, password = Password });
        await cube.SendAsync(HttpMethod.Get, $"/users/profile?token={tenant.Token}", tenant.Token);

        // One trace covers the proxy, the agent and the model server.
        var id = Convert.FromHexString(trace);
        await Eventually.TrueAsync(() => Task.FromResult(
            telemetry.Bodies.Any(body => Has(body, id) && Has(body, "cube.endpoint") && Has(body, "Cube.Proxy"))
            && telemetry.Bodies.Any(body => Has(body, id) && Has(body, "Cube.Agent"))), "both services export spans of the trace");
        Assert.Contains(trace, backend.Requests.Last(static received => received.Method == "POST").Headers["traceparent"], StringComparison.Ordinal);
        await Eventually.TrueAsync(
            () => Task.FromResult(telemetry.Bodies.Any(static body => Has(body, "cube.proxy.request.duration"))), "the metrics are exported");
        await Eventually.TrueAsync(() => Task.FromResult(telemetry.Bodies.Any(static body => Has(body, "chat.completions responded"))), "the logs are exported");

        string[] secrets = [Prompt, Completion, Password, tenant.Token, tenant.Tokens.Refresh, tenant.Token.Split('.')[2]];
        foreach (var secret in secrets)
        {
            Assert.DoesNotContain(secret, cube.Logs, StringComparison.Ordinal);
            Assert.DoesNotContain(telemetry.Bodies, body => Has(body, secret));
        }

        var rows = await AllRowsAsync(cube.Database);
        Assert.Contains(tenant.Name, rows, StringComparison.Ordinal);
        Assert.All(secrets, secret => Assert.DoesNotContain(secret, rows, StringComparison.Ordinal));
    }

    private static bool Has(byte[] body, string text) => Has(body, Encoding.UTF8.GetBytes(text));

    private static bool Has(byte[] body, byte[] bytes) => body.AsSpan().IndexOf(bytes) >= 0;

    private static async Task<string> AllRowsAsync(string connectionString)
    {
        await using var source = NpgsqlDataSource.Create(connectionString);
        await using var query = source.CreateCommand("select table_name from information_schema.tables where table_schema = 'public'");
        var tables = new List<string>();
        await using (var reader = await query.ExecuteReaderAsync())
        {
            while (await reader.ReadAsync())
            {
                tables.Add(reader.GetString(0));
            }
        }

        var rows = new StringBuilder();
        foreach (var table in tables)
        {
            await using var all = source.CreateCommand($"select coalesce(string_agg(t::text, '\n'), '') from \"{table}\" t");
            rows.AppendLine((string?)await all.ExecuteScalarAsync());
        }

        return rows.ToString();
    }

    /// <summary>An OTLP receiver that records the exported bodies.</summary>
    private sealed class OtlpReceiver : IAsyncDisposable
    {
        private readonly WebApplication _app;

        private OtlpReceiver(WebApplication app) => _app = app;

        public ConcurrentQueue<byte[]> Bodies { get; } = new();

        public Uri Address { get; private set; } = null!;

        public static async Task<OtlpReceiver> StartAsync()
        {
            var builder = WebApplication.CreateBuilder();
            builder.Logging.ClearProviders();
            var receiver = new OtlpReceiver(builder.Build());
            receiver._app.Urls.Add("http://127.0.0.1:0");
            receiver._app.Run(async context =>
            {
                using var body = new MemoryStream();
                await context.Request.Body.CopyToAsync(body);
                receiver.Bodies.Enqueue(body.ToArray());
            });
            await receiver._app.StartAsync();
            receiver.Address = new Uri(receiver._app.Services.GetRequiredService<IServer>().Features.GetRequiredFeature<IServerAddressesFeature>().Addresses.Single());
            return receiver;
        }

        public ValueTask DisposeAsync() => _app.DisposeAsync();
    }
}
