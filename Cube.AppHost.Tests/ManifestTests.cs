using System.Text.Json;
using Cube.Tests.Systems;

namespace Cube.AppHost.Tests;

/// <summary>The manifest for azd.</summary>
[Collection(OneAtATime.Name)]
public sealed class ManifestTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("cube-manifest-").FullName;

    [Fact]
    public async Task The_azd_manifest_contains_all_resources_and_no_secret()
    {
        var path = Path.Combine(_folder, "manifest.json");
        await using var publish = ServiceProcess.Start(
            "apphost", "dotnet", [Path.Combine(AppContext.BaseDirectory, "Cube.AppHost.dll"), "--publisher", "manifest", "--output-path", path],
            [new("CUBE_DATA", Path.Combine(_folder, "data"))]);
        Assert.True(await publish.WaitForExitAsync() == 0, publish.Output);
        Assert.False(Directory.Exists(Path.Combine(_folder, "data")), "publishing must not create a data directory");

        var resources = JsonElement.Parse(await File.ReadAllTextAsync(path)).GetProperty("resources");
        string[] projects = [.. resources.EnumerateObject().Where(static resource => resource.Value.GetProperty("type").GetString()!.StartsWith("project", StringComparison.Ordinal))
            .Select(static resource => resource.Name).Order()];
        Assert.Equal(["agent", "identity", "proxy"], projects);
        Assert.StartsWith("container", resources.GetProperty("postgres").GetProperty("type").GetString(), StringComparison.Ordinal);
        Assert.Contains("ollama/ollama", resources.GetProperty("ollama").GetProperty("image").GetString(), StringComparison.Ordinal);
        Assert.Equal("docker.io/authzed/spicedb:v1.30.0", resources.GetProperty("spicedb").GetProperty("image").GetString());
        Assert.DoesNotContain(":latest", await File.ReadAllTextAsync(path), StringComparison.Ordinal);

        var external = resources.EnumerateObject().Where(static resource => resource.Value.TryGetProperty("bindings", out var bindings)
            && bindings.EnumerateObject().Any(static binding => binding.Value.TryGetProperty("external", out var value) && value.GetBoolean()));
        Assert.Equal(["proxy"], external.Select(static resource => resource.Name));

        var identity = resources.GetProperty("identity").GetProperty("env");
        Assert.Equal("{key-encryption-secret.value}", identity.GetProperty("Identity__KeyEncryptionSecret").GetString());
        Assert.Equal("{cache-salt-key.value}", resources.GetProperty("proxy").GetProperty("env").GetProperty("Proxy__CacheSaltKey").GetString());
        Assert.Equal("{admin-password.value}", identity.GetProperty("Identity__AdminPassword").GetString());
        Assert.Equal("{identity-db.connectionString}", identity.GetProperty("ConnectionStrings__identity").GetString());
        Assert.Equal("{notify-connection.value}", identity.GetProperty("ConnectionStrings__notify").GetString());
        Assert.Equal("{authorization-key.value}", identity.GetProperty("Authorization__Key").GetString());
        Assert.Equal("{spicedb.bindings.http.url}", identity.GetProperty("services__authorization__http__0").GetString());
        Assert.True(resources.GetProperty("admin-password").GetProperty("inputs").GetProperty("value").GetProperty("secret").GetBoolean());
        Assert.Equal("{agent.bindings.https.url}", resources.GetProperty("proxy").GetProperty("env").GetProperty("services__agent__https__0").GetString());
    }

    public void Dispose() => Directory.Delete(_folder, recursive: true);
}
