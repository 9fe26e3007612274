using Cube.Agent;
using Cube.Agent.Backends;
using Cube.Agent.Evidence;
using Cube.ServiceDefaults;
using Cube.ServiceDefaults.Hosting;

return await ServiceHost.RunAsync(() =>
{
    var builder = ServiceHost.CreateBuilder(args);
    builder.AddServiceDefaults();
    builder.AddAgent().AddAttestation().AddBackend();

    var app = builder.Build();
    app.UseAttestation();
    app.MapDefaultEndpoints("cube-agent", () => app.Services.GetRequiredService<EvidenceQueue>().Type);
    app.MapBackend();
    app.MapNotFoundFallback();
    return app;
});
