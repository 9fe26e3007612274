using System.Net;
using System.Net.Sockets;
using Cube.Tests.Systems;

namespace Cube.Tests.Functional.EndToEnd;

/// <summary>A missing or invalid setting stops a service with one line that names the setting.</summary>
public sealed class StartupTests(PostgresServer postgres)
{
    private static readonly KeyValuePair<string, string>[] Complete =
    [
        new("ASPNETCORE_URLS", "http://127.0.0.1:0"),
        new("services__identity__http__0", "http://127.0.0.1:1"),
        new("services__agent__https__0", "https://127.0.0.1:2"),
        new("Attestation__Simulated", "true"),
        new("Attestation__Platform", "simulated"),
        new("services__authorization__http__0", "http://127.0.0.1:3"),
        new("Authorization__Engine", "embedded"),
        new("Authorization__Key", "a-key-of-sixteen-characters"),
        new("ConnectionStrings__identity", "Host=127.0.0.1;Port=1;Username=x;Timeout=2"),
        new("ConnectionStrings__proxy", "Host=127.0.0.1;Port=1;Username=x;Timeout=2"),
        new("ConnectionStrings__notify", "Host=127.0.0.1;Port=1;Username=x;Timeout=2"),
    ];

    [Theory]
    [InlineData("Cube.Proxy", "ASPNETCORE_ENVIRONMENT", "Production", "Production")]
    [InlineData("Cube.Proxy", "services__identity__http__0", "", "services__identity__http__0")]
    [InlineData("Cube.Proxy", "services__agent__https__0", "", "services__agent__https__0")]
    [InlineData("Cube.Proxy", "Attestation__KeepDays", "0", "Attestation__KeepDays")]
    [InlineData("Cube.Proxy", "Attestation__GoogleRoot", "/no/such/root", "Attestation__GoogleRoot")]
    [InlineData("Cube.Proxy", "Proxy__MaxRequestBodyBytes", "1", "Proxy__MaxRequestBodyBytes")]
    [InlineData("Cube.Proxy", "Proxy__MaxImages", "0", "Proxy__MaxImages")]
    [InlineData("Cube.Proxy", "Proxy__MaxImageMegapixels", "0", "Proxy__MaxImageMegapixels")]
    [InlineData("Cube.Proxy", "Proxy__ActivityTimeout", "soon", "ActivityTimeout")]
    [InlineData("Cube.Proxy", "Proxy__TrustedProxies__0", "everybody", "Proxy__TrustedProxies")]
    [InlineData("Cube.Proxy", "ConnectionStrings__proxy", "", "ConnectionStrings__proxy")]
    [InlineData("Cube.Proxy", "services__authorization__http__0", "", "services__authorization__http__0")]
    [InlineData("Cube.Proxy", "Authorization__Engine", "", "Authorization__Engine")]
    [InlineData("Cube.Proxy", "Authorization__Engine", "casbin", "Authorization__Engine")]
    [InlineData("Cube.Proxy", "Authorization__Key", "short", "Authorization__Key")]
    [InlineData("Cube.Proxy", "Authorization__Key", "a key that holds blanks", "Authorization__Key")]
    [InlineData("Cube.Agent", "Backend__Kind", "", "Backend__Kind")]
    [InlineData("Cube.Agent", "Backend__Kind", "llamacpp", "Backend__Kind")]
    [InlineData("Cube.Agent", "Backend__Url", "ftp://x", "Backend__Url")]
    [InlineData("Cube.Agent", "Backend__AllowModelChanges", "perhaps", "AllowModelChanges")]
    [InlineData("Cube.Agent", "Attestation__Platform", "", "Attestation__Platform")]
    [InlineData("Cube.Agent", "Attestation__Platform", "sgx", "Attestation__Platform")]
    [InlineData("Cube.Agent", "Attestation__Platform", "sev-snp", "sev-snp")]
    [InlineData("Cube.Agent", "Attestation__KeyLifetime", "2.00:00:00", "Attestation__KeyLifetime")]
    [InlineData("Cube.Agent", "ASPNETCORE_ENVIRONMENT", "Production", "Production")]
    [InlineData("Cube.Agent", "ASPNETCORE_URLS", "http://127.0.0.1:0", "TLS")]
    [InlineData("Cube.Identity", "ConnectionStrings__identity", "", "ConnectionStrings__identity")]
    [InlineData("Cube.Identity", "Authorization__Engine", "spice", "Authorization__Engine")]
    [InlineData("Cube.Identity", "SpiceDb__PresharedKey", "a-key-of-sixteen-characters", "SpiceDb__PresharedKey")]
    [InlineData("Cube.Identity", "ConnectionStrings__notify", "", "ConnectionStrings__notify")]
    [InlineData("Cube.Identity", "ConnectionStrings__identity", "Host=127.0.0.1;Port=1;Username=x;Timeout=2", "does not answer")]
    public async Task A_missing_or_invalid_setting_stops_the_service_with_one_line_that_names_it(string project, string setting, string value, string named)
    {
        Dictionary<string, string> settings = new(Complete)
        {
            ["Backend__Kind"] = "ollama",
            ["Backend__Url"] = "http://127.0.0.1:3",
            [setting] = value,
        };
        await using var process = ServiceProcess.StartService(project, settings);
        Assert.Equal(1, await process.WaitForExitAsync());
        await Eventually.TrueAsync(() => Task.FromResult(process.Output.Contains(named, StringComparison.Ordinal)), $"the output names {named}: {process.Output}", 5);
        Assert.DoesNotContain("   at ", process.Output, StringComparison.Ordinal);
    }

    /// <summary>Identity has background services, which the failed start cancels.</summary>
    [Theory]
    [InlineData("127.0.0.1")]
    // A documentation address (RFC 5737), which no machine has.
    [InlineData("203.0.113.1")]
    public async Task An_address_that_cannot_be_used_stops_the_service_with_one_line_that_names_it(string host)
    {
        using var other = new TcpListener(IPAddress.Loopback, 0);
        other.Start();
        var database = await postgres.CreateDatabaseAsync(typeof(Cube.Identity.Configuration.IdentityOptions).Assembly);
        await using var process = ServiceProcess.StartService("Cube.Identity", new Dictionary<string, string>(Complete)
        {
            ["ASPNETCORE_URLS"] = $"http://{host}:{((IPEndPoint)other.LocalEndpoint).Port}",
            ["ConnectionStrings__identity"] = database,
            ["Identity__KeyEncryptionSecret"] = "a secret of the tests",
        });
        Assert.Equal(1, await process.WaitForExitAsync());
        await Eventually.TrueAsync(() => Task.FromResult(process.Output.Contains("address", StringComparison.Ordinal)), $"the output names the address: {process.Output}", 5);
        Assert.DoesNotContain("   at ", process.Output, StringComparison.Ordinal);
    }
}
