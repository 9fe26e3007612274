using Cube.Agent;
using Cube.Agent.Backends;
using Cube.ServiceDefaults;
using Cube.ServiceDefaults.Hosting;

return await ServiceHost.RunAsync(() =>
{
    var builder = WebApplication.CreateBuilder(args);
    builder.AddServiceDefaults();
    builder.AddAgent().AddBackend();

    var app = builder.Build();
    app.MapDefaultEndpoints("cube-agent", AgentExtensions.Attestation);
    app.MapBackend();
    app.MapNothingElse();
    return app;
});
