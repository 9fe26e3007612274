namespace Cube.AppHost.SpiceDb;

/// <summary>
/// Arguments of SpiceDB 1.30. Secrets are passed in the environment, because other users of a host can read command lines.
/// </summary>
internal static class SpiceDb
{
    public const string EndpointName = "http";
    public const string Health = "/healthz";
    public const int HttpPort = 8443;
    public const string KeyVariable = "SPICEDB_GRPC_PRESHARED_KEY";

    private const string StoreVariable = "SPICEDB_DATASTORE_CONN_URI";

    public static string[] Migrate { get; } = ["migrate", "head", "--datastore-engine", "postgres", "--skip-release-check=true"];

    public static string[] Serve { get; } =
    [
        "serve", "--datastore-engine", "postgres", "--http-enabled", "--metrics-enabled=false", "--telemetry-endpoint", "",
        "--skip-release-check=true", "--dispatch-cluster-enabled=false", "--datastore-conn-pool-read-max-open", "10", "--datastore-conn-pool-write-max-open", "5",
    ];

    public static IResourceBuilder<ContainerResource> AddSpiceDbContainer(this IDistributedApplicationBuilder builder, [ResourceName] string name) =>
        builder.AddContainer(name, "authzed/spicedb", "v1.30.0").WithImageRegistry("docker.io");

    public static IResourceBuilder<T> WithSpiceDbStore<T>(this IResourceBuilder<T> spiceDb, ReferenceExpression uri)
        where T : IResourceWithEnvironment => spiceDb.WithEnvironment(StoreVariable, uri);
}
