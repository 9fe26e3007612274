using Cube.AppHost.Models;
using Cube.AppHost.Postgres;
using Cube.AppHost.Settings;
using Cube.AppHost.SpiceDb;
using Cube.AppHost.Startup;

return await Launch.RunAsync(async () =>
{
    var cube = CubeBuilder.Create(args);
    var builder = cube.Builder;

    var adminEmail = builder.AddParameter("admin-email", cube.Settings.AdminEmail).WithDescription("First administrator of the platform.");
    var adminPassword = cube.AddAdminPassword().WithDescription("The first administrator's password.");
    var keySecret = builder.AddParameter("key-encryption-secret", cube.Secret("key-encryption-secret"), secret: true)
        .WithDescription("Encrypts the token signing keys in the database.");
    var cacheSalt = builder.AddParameter("cache-salt-key", cube.Secret("cache-salt-key"), secret: true)
        .WithDescription("Keeps users apart in a model server's prefix cache, through every proxy alike.");

    var databases = await DatabaseServer.AddAsync(cube);
    var authorization = await AuthorizationServer.AddAsync(cube, databases);
    var model = await ModelServer.AddAsync(cube);
    var proxyCertificate = cube.EnsureCertificate();

    var identityDatabase = databases.AddDatabase("identity");
    var proxyDatabase = databases.AddDatabase("proxy");
    var identity = cube.AddService<Projects.Cube_Identity>("identity")
        .WithListener(cube, "http", cube.Settings.Ports.Identity)
        .WithReference(identityDatabase, connectionName: "identity").WaitFor(identityDatabase)
        .WithEnvironment("ConnectionStrings__notify", databases.AddNotifier()).WaitFor(proxyDatabase)
        .WithAuthorization(authorization)
        .WithMail(cube)
        .WithEnvironment("Identity__AdminEmail", adminEmail)
        .WithEnvironment("Identity__AdminPassword", adminPassword)
        .WithEnvironment("Identity__FirstDomain", CubeResources.SeedDomain)
        .WithEnvironment("Identity__KeyEncryptionSecret", keySecret)
        .WithHttpHealthCheck("/health");

    var agent = cube.AddService<Projects.Cube_Agent>("agent")
        .WithListener(cube, "https", cube.Settings.Ports.Agent)
        .WithModel(model)
        .WithAgentHealthCheck();

    var proxy = cube.AddService<Projects.Cube_Proxy>("proxy")
        .WithListener(cube, "http", cube.Settings.Ports.Http, cube.Settings.Bind)
        .WithListener(cube, "https", cube.Settings.Ports.Https, cube.Settings.Bind)
        .WithExternalHttpEndpoints()
        .WithCertificate(proxyCertificate)
        .WithReference(proxyDatabase, connectionName: "proxy").WaitFor(proxyDatabase)
        .WithReference(identity).WaitFor(identity)
        .WithAuthorization(authorization, identity)
        .WithReference(agent).WaitFor(agent)
        .WithEnvironment("Proxy__CacheSaltKey", cacheSalt)
        .WithHttpHealthCheck("/health", endpointName: "http");

    cube.AddAttestation(agent, proxy);
    cube.AddReadiness(identityDatabase, databases, authorization, model, proxyCertificate, [identity.Resource, agent.Resource, proxy.Resource]);
    return builder.Build();
});
