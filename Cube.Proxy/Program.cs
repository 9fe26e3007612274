using Cube.Proxy;
using Cube.Proxy.Management;
using Cube.ServiceDefaults;
using Cube.ServiceDefaults.Hosting;

return await ServiceHost.RunAsync(() =>
{
    var builder = WebApplication.CreateBuilder(args);
    builder.AddServiceDefaults();
    builder.AddEdge();

    var app = builder.Build();
    app.UseDomainPipeline();
    app.MapDefaultEndpoints("cube-proxy", EdgeExtensions.Attestation);
    app.MapManagement();
    return app;
});
