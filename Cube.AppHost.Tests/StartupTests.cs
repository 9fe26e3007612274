using System.Net;
using System.Net.Sockets;
using Cube.Tests.Systems;

namespace Cube.AppHost.Tests;

/// <summary>Startup errors are one line with exit code 1.</summary>
[Collection(OneAtATime.Name)]
public sealed class StartupTests : IDisposable
{
    private readonly string _data = Directory.CreateTempSubdirectory("cube-start-").FullName;

    [Theory]
    [InlineData("CUBE_SERVERS", "cloud", "CUBE_SERVERS must be one of auto, containers, host")]
    [InlineData("CUBE_PORTS", "1", "CUBE_PORTS can only be 0")]
    [InlineData("CUBE_HTTP_PORT", "eighty", "CUBE_HTTP_PORT must be a port")]
    [InlineData("CUBE_BIND", "example.com", "CUBE_BIND must be an IP address")]
    [InlineData("CUBE_BACKEND_KIND", "llamacpp", "CUBE_BACKEND_KIND must be one of")]
    [InlineData("CUBE_BACKEND_URL", "http://127.0.0.1:1", "CUBE_BACKEND_KIND=guide does not use CUBE_BACKEND_URL")]
    [InlineData("CUBE_SPICEDB_URL", "http://127.0.0.1:1", "CUBE_SPICEDB_URL and CUBE_SPICEDB_KEY must be set together")]
    [InlineData("CUBE_SPICEDB_KEY", "a-key-of-sixteen-letters", "CUBE_SPICEDB_URL and CUBE_SPICEDB_KEY must be set together")]
    [InlineData("CUBE_SPICEDB_PROGRAM", "/no/such/spicedb", "CUBE_SPICEDB_PROGRAM: the file /no/such/spicedb does not exist")]
    [InlineData("CUBE_DASHBOARD", "maybe", "CUBE_DASHBOARD must be one of true, false")]
    [InlineData("CUBE_ATTESTATION", "none", "CUBE_ATTESTATION must be one of simulated, sev-snp, tdx, azure, auto")]
    [InlineData("CUBE_ATTESTATION", "sev-snp", "CUBE_ATTESTATION=sev-snp needs CUBE_ATTESTATION_POLICY")]
    [InlineData("ASPIRE_CONTAINER_RUNTIME", "no-such-runtime", "CUBE_SERVERS=containers, but no-such-runtime does not respond", "CUBE_SERVERS", "containers")]
    [InlineData("CUBE_ADMIN_PASSWORD", "short", "identity did not start. Cube.Identity: The first administrator cannot be created")]
    public async Task An_invalid_setting_is_rejected(string name, string value, string expected, string? alsoName = null, string? alsoValue = null)
    {
        KeyValuePair<string, string>[] settings = alsoName is null ? [new(name, value)] : [new(name, value), new(alsoName, alsoValue!)];
        await RefusedAsync(expected, settings);
    }

    [Fact]
    public async Task The_message_for_a_used_port_names_the_setting_that_changes_it()
    {
        using var taken = new TcpListener(IPAddress.Loopback, 0);
        taken.Start();
        var port = ((IPEndPoint)taken.LocalEndpoint).Port;
        await RefusedAsync($"Port {port} is in use; choose another with CUBE_HTTP_PORT.", new KeyValuePair<string, string>("CUBE_HTTP_PORT", $"{port}"));
    }

    [Fact]
    public async Task The_message_names_a_data_directory_that_cannot_be_written()
    {
        // No user, not even root, can create a directory below a file.
        var file = Path.Combine(_data, "file");
        await File.WriteAllTextAsync(file, "");
        var below = Path.Combine(file, "data");
        await RefusedAsync($"The data directory {below} cannot be", new KeyValuePair<string, string>("CUBE_DATA", below));
    }

    [Fact]
    public async Task A_service_that_needs_an_unreachable_database_reports_it()
    {
        // Identity and the proxy start at the same time and use the same server: the first to fail is reported.
        var line = await ErrorAsync(new KeyValuePair<string, string>("ConnectionStrings__identity", "Host=127.0.0.1;Port=1;Username=x;Timeout=2"));
        Assert.Matches(@"^cube: (identity did not start\. Cube\.Identity: The database identity|proxy did not start\. Cube\.Proxy: The database proxy) does not answer", line);
    }

    private async Task RefusedAsync(string expected, params KeyValuePair<string, string>[] settings) =>
        Assert.StartsWith($"cube: {expected}", await ErrorAsync(settings), StringComparison.Ordinal);

    private async Task<string> ErrorAsync(params KeyValuePair<string, string>[] settings)
    {
        await using var process = RunningCube.Launch(_data, settings);
        Assert.True(await process.WaitForExitAsync() == 1, process.Output);
        await Eventually.TrueAsync(() => Task.FromResult(process.Output.Contains("cube: ", StringComparison.Ordinal)), "a reason is given", 5);
        var line = Assert.Single(process.Output.Split('\n'), static line => line.StartsWith("cube: ", StringComparison.Ordinal));
        Assert.DoesNotContain("   at ", process.Output, StringComparison.Ordinal);
        return line;
    }

    public void Dispose() => Directory.Delete(_data, recursive: true);
}
