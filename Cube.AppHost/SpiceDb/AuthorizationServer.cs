using Cube.AppHost.Hosting;
using Cube.AppHost.Postgres;
using Cube.AppHost.Settings;

namespace Cube.AppHost.SpiceDb;

/// <summary>The authorization engine: configured, a container, a program of this host, or the engine in Identity.</summary>
/// <param name="Engine"><c>spicedb</c> or <c>embedded</c>.</param>
/// <param name="Description">Description for the start message.</param>
/// <param name="Key">Preshared key of the engine.</param>
internal sealed record AuthorizationServer(string Engine, string Description, IResourceBuilder<ParameterResource> Key)
{
    private const string Database = "spicedb";

    /// <summary>HTTP address; null for the engine in Identity.</summary>
    public ReferenceExpression? Url { get; init; }

    public string Scheme { get; init; } = "http";

    public IResourceBuilder<IResource>? WaitFor { get; init; }

    /// <summary>Selects the first available: a configured address, a container, a program of this host, the engine in Identity.</summary>
    /// <exception cref="StartupException">The settings cannot be satisfied.</exception>
    public static async Task<AuthorizationServer> AddAsync(CubeBuilder cube, DatabaseServer databases)
    {
        var (builder, settings) = (cube.Builder, cube.Settings);
        if (settings.SpiceDbUrl is { } url)
        {
            var given = builder.AddParameter("authorization-key", () => settings.SpiceDbKey!, secret: true).WithDescription("Preshared key of SpiceDB.");
            return new AuthorizationServer("spicedb", $"SpiceDB as configured, at {url.Authority}", given)
            {
                Url = ReferenceExpression.Create($"{url.GetLeftPart(UriPartial.Authority)}"),
                Scheme = url.Scheme,
            };
        }

        var key = builder.AddParameter("authorization-key", cube.Secret("authorization-key"), secret: true)
            .WithDescription("Preshared key of the authorization engine.");
        var containers = builder.ExecutionContext.IsPublishMode || (settings.SpiceDbProgram is null && await cube.HasContainersAsync());
        var program = containers ? null : settings.SpiceDbProgram ?? Commands.Find("spicedb");
        if ((!containers && program is null) || databases.UriOf(Database) is not { } uri)
        {
            return settings.SpiceDbProgram is null
                ? new AuthorizationServer("embedded", "the engine built into Identity; no SpiceDB found", key)
                : throw new StartupException("CUBE_SPICEDB_PROGRAM needs its own database: set ConnectionStrings__spicedb.");
        }

        var database = databases.AddDatabase(Database);
        return program is null ? AddContainer(builder, key, database, uri) : AddProgram(cube, program, key, database, uri);
    }

    private static AuthorizationServer AddContainer(
        IDistributedApplicationBuilder builder, IResourceBuilder<ParameterResource> key, IResourceBuilder<IResourceWithConnectionString> database, ReferenceExpression uri)
    {
        var migration = builder.AddSpiceDbContainer("spicedb-migrate").WithArgs(SpiceDb.Migrate).WithSpiceDbStore(uri).WaitFor(database);
        var server = builder.AddSpiceDbContainer("spicedb")
            .WithArgs([.. SpiceDb.Serve, "--http-addr", $":{SpiceDb.HttpPort}"])
            .WithSpiceDbStore(uri)
            .WithEnvironment(SpiceDb.KeyVariable, key)
            .WithHttpEndpoint(targetPort: SpiceDb.HttpPort, name: SpiceDb.EndpointName)
            .WithHttpHealthCheck(SpiceDb.Health)
            .WaitForCompletion(migration);
        return new AuthorizationServer("spicedb", "SpiceDB, container", key)
        {
            Url = ReferenceExpression.Create($"{server.GetEndpoint(SpiceDb.EndpointName).Property(EndpointProperty.Url)}"),
            WaitFor = server,
        };
    }

    private static AuthorizationServer AddProgram(
        CubeBuilder cube, string program, IResourceBuilder<ParameterResource> key, IResourceBuilder<IResourceWithConnectionString> database, ReferenceExpression uri)
    {
        var (http, grpc) = (Ports.Free(), Ports.Free());
        var migration = cube.Builder.AddExecutable("spicedb-migrate", program, cube.Data.Path, SpiceDb.Migrate)
            .WithSpiceDbStore(uri).WaitFor(database).ExcludeFromManifest();
        var server = cube.Builder.AddExecutable("spicedb", program, cube.Data.Path, [.. SpiceDb.Serve, "--http-addr", $"127.0.0.1:{http}", "--grpc-addr", $"127.0.0.1:{grpc}"])
            .WithSpiceDbStore(uri)
            .WithEnvironment(SpiceDb.KeyVariable, key)
            .WithHttpEndpoint(port: http, targetPort: http, name: SpiceDb.EndpointName, isProxied: false)
            .WithEndpoint(SpiceDb.EndpointName, static endpoint => endpoint.TargetHost = "127.0.0.1")
            .WithHttpHealthCheck(SpiceDb.Health)
            .WaitForCompletion(migration)
            .ExcludeFromManifest();
        return new AuthorizationServer("spicedb", "SpiceDB of this host", key)
        {
            Url = ReferenceExpression.Create($"{server.GetEndpoint(SpiceDb.EndpointName).Property(EndpointProperty.Url)}"),
            WaitFor = server,
        };
    }
}
