using Cube.AppHost.Hosting;
using Cube.AppHost.Models;
using Cube.AppHost.Postgres;
using Cube.AppHost.Settings;
using Cube.AppHost.SpiceDb;

namespace Cube.AppHost.Startup;

/// <summary>What the services depend on.</summary>
internal sealed record ServiceDependencies(
    DatabaseServer Databases, IResourceBuilder<IResourceWithConnectionString> IdentityDatabase, IResourceBuilder<IResourceWithConnectionString> ProxyDatabase, AuthorizationServer Authorization,
    ModelServer Model, LocalCertificate? ProxyCertificate);

/// <summary>Identity, the agent and the proxy.</summary>
internal static class CubeServices
{
    /// <summary>Adds the services. They start at the same time: each waits itself for the database, and retries what another service does not answer yet.</summary>
    /// <returns>The services, in the order in which they are reported.</returns>
    public static IReadOnlyList<IResource> AddServices(this CubeBuilder cube, ServiceDependencies dependencies) => cube.StartsPrograms
        ? cube.AddServices(dependencies, cube.AddProgram<Projects.Cube_Identity>("identity"), cube.AddProgram<Projects.Cube_Agent>("agent"), cube.AddProgram<Projects.Cube_Proxy>("proxy"))
        : cube.AddServices(dependencies, cube.AddProject<Projects.Cube_Identity>("identity"), cube.AddProject<Projects.Cube_Agent>("agent"), cube.AddProject<Projects.Cube_Proxy>("proxy"));

    private static IReadOnlyList<IResource> AddServices<T>(this CubeBuilder cube, ServiceDependencies dependencies, IResourceBuilder<T> identity, IResourceBuilder<T> agent, IResourceBuilder<T> proxy)
        where T : class, IResourceWithEnvironment, IResourceWithEndpoints, IResourceWithWaitSupport, IResourceWithServiceDiscovery
    {
        var builder = cube.Builder;
        var adminEmail = builder.AddParameter("admin-email", cube.Settings.AdminEmail).WithDescription("Email address of the seed platform administrator.");
        var adminPassword = cube.AddAdminPassword().WithDescription("Password of the seed platform administrator.");
        var keySecret = builder.AddParameter("key-encryption-secret", cube.Secret("key-encryption-secret"), secret: true)
            .WithDescription("Encrypts the token signing keys in the database.");
        var cacheSalt = builder.AddParameter("cache-salt-key", cube.Secret("cache-salt-key"), secret: true)
            .WithDescription("Separates users in the prefix cache of a model server. All proxies use the same key.");

        identity
            .WithListener(cube, "http", cube.Settings.Ports.Identity)
            .WithDatabase(cube, dependencies.Databases, dependencies.IdentityDatabase, "identity")
            .WithEnvironment("ConnectionStrings__notify", dependencies.Databases.AddNotifier())
            .WithAuthorization(dependencies.Authorization)
            .WithMail(cube)
            .WithEnvironment("Identity__AdminEmail", adminEmail)
            .WithEnvironment("Identity__AdminPassword", adminPassword)
            .WithEnvironment("Identity__FirstDomain", CubeResources.SeedDomain)
            .WithEnvironment("Identity__KeyEncryptionSecret", keySecret)
            .WithHttpHealthCheck("/health");

        agent
            .WithListener(cube, "https", cube.Settings.Ports.Agent)
            .WithModel(dependencies.Model)
            .WithAgentHealthCheck();

        proxy
            .WithListener(cube, "http", cube.Settings.Ports.Http, cube.Settings.Bind)
            .WithListener(cube, "https", cube.Settings.Ports.Https, cube.Settings.Bind)
            .WithExternalHttpEndpoints()
            .WithCertificate(dependencies.ProxyCertificate)
            .WithDatabase(cube, dependencies.Databases, dependencies.ProxyDatabase, "proxy")
            .WithServiceReference(identity)
            .WithAuthorization(dependencies.Authorization, identity)
            .WithServiceReference(agent)
            .WithEnvironment("Proxy__CacheSaltKey", cacheSalt)
            .WithHttpHealthCheck("/health", endpointName: "http");

        cube.AddAttestation(agent, proxy);
        return [identity.Resource, agent.Resource, proxy.Resource];
    }
}
