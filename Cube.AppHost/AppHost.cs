using Cube.AppHost.Hosting;
using Cube.AppHost.Models;
using Cube.AppHost.Postgres;
using Cube.AppHost.SpiceDb;
using Cube.AppHost.Startup;

return await Launch.RunAsync(async () =>
{
    var cube = CubeBuilder.Create(args);
    var databases = await DatabaseServer.AddAsync(cube);
    var authorization = await AuthorizationServer.AddAsync(cube, databases);
    var model = await ModelServer.AddAsync(cube);
    var proxyCertificate = cube.EnsureCertificate();
    var identityDatabase = databases.AddDatabase("identity");
    var services = cube.AddServices(new ServiceDependencies(databases, identityDatabase, databases.AddDatabase("proxy"), authorization, model, proxyCertificate));
    cube.AddReadiness(identityDatabase, databases, authorization, model, proxyCertificate, services);
    return cube.Builder.Build();
});
