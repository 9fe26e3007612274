using Cube.Identity;
using Cube.Identity.Database;
using Cube.Identity.Domains;
using Cube.Identity.Keys;
using Cube.Identity.Tokens;
using Cube.Identity.Users;
using Cube.ServiceDefaults;
using Cube.ServiceDefaults.Hosting;

return await ServiceHost.RunAsync(() =>
{
    var builder = WebApplication.CreateBuilder(args);
    builder.AddServiceDefaults();
    builder.AddDatabase().AddIdentity();

    var app = builder.Build();
    app.MigrateDatabase();
    app.UseIdentity();
    app.MapDefaultEndpoints("cube-identity");
    app.MapTokens().MapUsers().MapKeys().MapDomains();
    return app;
});
