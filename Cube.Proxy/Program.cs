using Cube.Proxy.Attestation;
using Cube.Proxy.Authentication;
using Cube.Proxy.Authorization;
using Cube.Proxy.Configuration;
using Cube.Proxy.Database;
using Cube.Proxy.Edge;
using Cube.Proxy.Inference;
using Cube.Proxy.Limits;
using Cube.Proxy.Management;
using Cube.Proxy.OpenApi;
using Cube.Proxy.Telemetry;
using Cube.ServiceDefaults;
using Cube.ServiceDefaults.Errors;
using Cube.ServiceDefaults.Hosting;
using Microsoft.Extensions.Options;

return await ServiceHost.RunAsync(() =>
{
    var builder = ServiceHost.CreateBuilder(args);
    builder.AddServiceDefaults();
    builder.AddEdge().AddBearerAuthentication().AddDomainAuthorization().AddInFlightLimits().AddRuntimeConfiguration().AddAttestation().AddInference().AddManagement().AddApiDocument();

    var app = builder.Build();
    // Settings are validated before any connection is opened.
    app.Services.GetRequiredService<IStartupValidator>().Validate();
    app.Services.GetRequiredService<ProxyDatabase>().Migrate();

    // Authorization authenticates, with the scheme of each policy. Without a default scheme, ASP.NET's authentication middleware has nothing to do; this property prevents that the builder adds it.
    ((IApplicationBuilder)app).Properties["__AuthenticationMiddlewareSet"] = true;
    // The order of the middleware matters.
    app.UseEdge();
    app.UseMiddleware<RequestTelemetryMiddleware>();
    app.UseWhen(static context => !DomainPath.Matches(context), static management => management.UseManagementErrors());
    app.UseMiddleware<DomainErrorMiddleware>();
    app.UseMiddleware<DomainPathMiddleware>();
    app.UseRouting();
    app.UseAuthorization();
    app.UseMiddleware<InFlightMiddleware>();
    app.UseMiddleware<RequestContentMiddleware>();

    app.MapDefaultEndpoints("cube-proxy", () => app.Services.GetRequiredService<ProxyConfigurationProvider>().Description);
    app.MapInference().MapManagement().MapApiDocument();
    return app;
});
