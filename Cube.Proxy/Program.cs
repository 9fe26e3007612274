using Cube.Proxy;
using Cube.Proxy.Attestation;
using Cube.Proxy.Attestation.Api;
using Cube.Proxy.Attestation.Policies;
using Cube.Proxy.Database;
using Cube.Proxy.Management;
using Cube.Proxy.Routing.Api;
using Cube.ServiceDefaults;
using Cube.ServiceDefaults.Hosting;
using Microsoft.Extensions.Options;

return await ServiceHost.RunAsync(() =>
{
    var builder = WebApplication.CreateBuilder(args);
    builder.AddServiceDefaults();
    builder.AddEdge().AddAttestation();

    var app = builder.Build();
    // Settings first: a wrong one is named before anything is asked.
    app.Services.GetRequiredService<IStartupValidator>().Validate();
    app.Services.GetRequiredService<ProxyDatabase>().Migrate();
    app.UseDomainPipeline();
    app.MapDefaultEndpoints("cube-proxy", () => app.Services.GetRequiredService<PoliciesInForce>().Description);
    PlatformAttestation.Map(app);
    RouteApi.Map(app);
    app.MapManagement();
    return app;
});
