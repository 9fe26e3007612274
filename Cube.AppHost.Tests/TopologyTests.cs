using Cube.AppHost.Hosting;
using Aspire.Hosting;
using Aspire.Hosting.ApplicationModel;
using Aspire.Hosting.Testing;

namespace Cube.AppHost.Tests;

/// <summary>The topology as data; no resource is started.</summary>
[Collection(OneAtATime.Name)]
public sealed class TopologyTests : IDisposable
{
    private readonly string _data = Directory.CreateTempSubdirectory("cube-model-").FullName;

    [Theory]
    [InlineData("llama3.2", "llama3.2:latest")]
    [InlineData("smollm2:135m", "smollm2:135m")]
    public void A_model_name_without_a_tag_means_latest(string asked, string listed) =>
        Assert.Equal(listed, new OllamaModelResource("model", asked, new OllamaResource("ollama")).ModelName);

    [Fact]
    public async Task Only_the_proxy_has_external_endpoints()
    {
        await using var app = await BuildAsync("--CUBE_BACKEND_KIND=guide", "--ConnectionStrings:identity=Host=elsewhere");
        var external = app.Services.GetModel().Resources.OfType<IResourceWithEndpoints>()
            .Where(static resource => resource.Annotations.OfType<EndpointAnnotation>().Any(static endpoint => endpoint.IsExternal));
        Assert.Equal(["proxy"], external.Select(static resource => resource.Name));
    }

    [Fact]
    public async Task With_configured_addresses_no_server_is_started()
    {
        await using var app = await BuildAsync(
            "--ConnectionStrings:identity=Host=elsewhere", "--CUBE_BACKEND_KIND=vllm", "--CUBE_BACKEND_URL=http://models.example:8000");
        var resources = app.Services.GetModel().Resources;
        Assert.Empty(resources.OfType<ContainerResource>());
        Assert.Equal(["agent", "identity", "proxy"], resources.OfType<ServiceResource>().Select(static service => service.Name).Order());
        Assert.DoesNotContain(resources, static resource => resource.Name is "postgres" or "ollama");
        var agent = await EnvironmentAsync(resources, "agent");
        Assert.Equal("vllm", agent["Backend__Kind"]);
        Assert.Equal("http://models.example:8000/", agent["Backend__Url"]);
    }

    [Fact]
    public async Task Each_service_receives_its_settings_and_starts_without_waiting_for_another()
    {
        await using var app = await BuildAsync("--CUBE_BACKEND_KIND=guide", "--ConnectionStrings:identity=Host=elsewhere");
        var resources = app.Services.GetModel().Resources;
        Assert.All(resources.OfType<ServiceResource>(), service =>
        {
            Assert.Empty(WaitsOf(resources, service.Name));
            Assert.NotEmpty(service.Annotations.OfType<HealthCheckAnnotation>());
            Assert.True(File.Exists(service.Command), service.Command);
        });
        var proxy = await EnvironmentAsync(resources, "proxy");
        Assert.Equal("true", proxy["Attestation__Simulated"]);
        Assert.Equal("""{"types":["simulated"]}""", proxy["Attestation__FirstPolicy"]);
        Assert.EndsWith("proxy.pem", proxy["Kestrel__Certificates__Default__Path"], StringComparison.Ordinal);
        Assert.Equal("simulated", (await EnvironmentAsync(resources, "agent"))["Attestation__Platform"]);
    }

    [Fact]
    public async Task Secrets_are_parameters_in_a_file_that_only_the_owner_can_read()
    {
        await using var app = await BuildAsync("--CUBE_BACKEND_KIND=guide", "--ConnectionStrings:identity=Host=elsewhere");
        var parameters = app.Services.GetModel().Resources.OfType<ParameterResource>().ToDictionary(static parameter => parameter.Name);
        Assert.All((string[])["admin-password", "key-encryption-secret", "cache-salt-key"], name => Assert.True(parameters[name].Secret));
        var password = (await parameters["admin-password"].GetValueAsync(default))!;
        Assert.Equal(24, password.Length);

        var file = Path.Combine(_data, "secrets.json");
        if (!OperatingSystem.IsWindows())
        {
            Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(file));
        }

        Assert.Contains(password, await File.ReadAllTextAsync(file), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Without_SpiceDB_both_services_use_the_engine_in_Identity()
    {
        await using var app = await BuildAsync("--CUBE_BACKEND_KIND=guide", "--ConnectionStrings:identity=Host=elsewhere");
        var resources = app.Services.GetModel().Resources;
        var (identity, proxy) = (await EnvironmentAsync(resources, "identity"), await EnvironmentAsync(resources, "proxy"));
        Assert.All([identity, proxy], static service => Assert.Equal(("embedded", "{authorization-key.value}"), (service["Authorization__Engine"], service["Authorization__Key"])));
        Assert.Equal("{identity.bindings.http.url}", proxy["services__authorization__http__0"]);
    }

    [Fact]
    public async Task Both_services_use_an_external_SpiceDB()
    {
        await using var app = await BuildAsync(
            "--CUBE_BACKEND_KIND=guide", "--ConnectionStrings:identity=Host=elsewhere", "--CUBE_SPICEDB_URL=https://spicedb.example:8443/", "--CUBE_SPICEDB_KEY=a-key-of-sixteen-letters");
        var resources = app.Services.GetModel().Resources;
        foreach (var name in (string[])["identity", "proxy"])
        {
            var service = await EnvironmentAsync(resources, name);
            Assert.Equal("spicedb", service["Authorization__Engine"]);
            Assert.Equal("https://spicedb.example:8443", service["services__authorization__https__0"]);
        }
    }

    [Fact]
    public async Task A_SpiceDB_program_migrates_its_database_first_and_command_lines_contain_no_secrets()
    {
        var program = Path.Combine(_data, "spicedb");
        await File.WriteAllTextAsync(program, "");
        await using var app = await BuildAsync(
            "--CUBE_BACKEND_KIND=guide", "--ConnectionStrings:identity=Host=elsewhere", "--ConnectionStrings:spicedb=Host=db;Username=u;Password=p'@/w;Database=s",
            $"--CUBE_SPICEDB_PROGRAM={program}");
        var resources = app.Services.GetModel().Resources;
        Assert.Equal(["spicedb-migrate"], WaitsOf(resources, "spicedb"));
        Assert.Contains("spicedb", WaitsOf(resources, "proxy"));
        Assert.Contains("spicedb", WaitsOf(resources, "identity"));
        var store = resources.OfType<ParameterResource>().Single(static parameter => parameter.Name == "spicedb-uri");
        Assert.Equal("postgres://u:p%27%40%2Fw@db:5432/s?sslmode=prefer", await store.GetValueAsync(default));
        Assert.Equal("{spicedb-uri.value}", (await EnvironmentAsync(resources, "spicedb"))["SPICEDB_DATASTORE_CONN_URI"]);
    }

    private async Task<DistributedApplication> BuildAsync(params string[] args)
    {
        var builder = await DistributedApplicationTestingBuilder.CreateAsync<Projects.Cube_AppHost>(
            [$"--CUBE_DATA={_data}", "--CUBE_PORTS=0", "--CUBE_SERVERS=host", .. args]);
        return await builder.BuildAsync();
    }

    private static string[] WaitsOf(IResourceCollection resources, string name) =>
        [.. resources.Single(resource => resource.Name == name).Annotations.OfType<WaitAnnotation>().Select(static wait => wait.Resource.Name).Distinct().Order()];

    private static async Task<Dictionary<string, string>> EnvironmentAsync(IResourceCollection resources, string name)
    {
        var resource = (IResourceWithEnvironment)resources.Single(resource => resource.Name == name);
#pragma warning disable CS0618 // The replacement API needs a running application.
        return await resource.GetEnvironmentVariableValuesAsync(DistributedApplicationOperation.Publish);
#pragma warning restore CS0618
    }

    public void Dispose() => Directory.Delete(_data, recursive: true);
}

internal static class ModelExtensions
{
    public static DistributedApplicationModel GetModel(this IServiceProvider services) =>
        (DistributedApplicationModel)services.GetService(typeof(DistributedApplicationModel))!;
}
