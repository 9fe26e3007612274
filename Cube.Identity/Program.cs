using Cube.Authorization;
using Cube.Authorization.Engine;
using Cube.Identity;
using Cube.Identity.Accounts;
using Cube.Identity.Database;
using Cube.Identity.Domains;
using Cube.Identity.Invitations;
using Cube.Identity.Journal;
using Cube.Identity.Keys;
using Cube.Identity.Mail;
using Cube.Identity.OpenApi;
using Cube.Identity.Pats;
using Cube.Identity.Synchronization;
using Cube.Identity.Tokens;
using Cube.ServiceDefaults;
using Cube.ServiceDefaults.Hosting;

return await ServiceHost.RunAsync(() =>
{
    var builder = ServiceHost.CreateBuilder(args);
    builder.AddServiceDefaults();
    builder.AddDatabase().AddAuthorizationEngine().AddSynchronization().AddMail().AddIdentity().AddApiDocument();

    var app = builder.Build();
    app.MigrateDatabase().ClearTrialStore();
    app.UseIdentity();
    app.MapDefaultEndpoints("cube-identity");
    app.MapTokens().MapUsers().MapMail().MapKeys().MapDomains().MapInvitations().MapPats().MapJournal().MapAuthorizationEngine().MapApiDocument();
    return app;
});
