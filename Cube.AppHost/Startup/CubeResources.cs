using System.Globalization;
using System.Net.Security;
using Cube.AppHost.Hosting;
using Cube.AppHost.Models;
using Cube.AppHost.Postgres;
using Cube.AppHost.Settings;
using Cube.AppHost.SpiceDb;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Hosting;

namespace Cube.AppHost.Startup;

/// <summary>Details of the topology in AppHost.cs.</summary>
internal static class CubeResources
{
    public const string SeedDomain = "default";
    public const string AdminPassword = "admin-password";

    /// <summary>Adds a service as a project, with the environment name of the AppHost.</summary>
    public static IResourceBuilder<ProjectResource> AddProject<TProject>(this CubeBuilder cube, string name)
        where TProject : IProjectMetadata, new()
    {
        var project = cube.Builder.AddProject<TProject>(name);
        return cube.Builder.ExecutionContext.IsRunMode
            ? project.WithEnvironment("ASPNETCORE_ENVIRONMENT", cube.Builder.Environment.EnvironmentName)
            : project;
    }

    /// <summary>Adds a service as the program that was built for it, with the same settings as Aspire gives a project.</summary>
    public static IResourceBuilder<ServiceResource> AddProgram<TProject>(this CubeBuilder cube, string name)
        where TProject : IProjectMetadata, new()
    {
        var project = new TProject();
        var resource = new ServiceResource(name, ServiceResource.FindProgram(project)!, Path.GetDirectoryName(project.ProjectPath)!);
        var service = cube.Builder.AddResource(resource)
            .WithEnvironment("ASPNETCORE_ENVIRONMENT", cube.Builder.Environment.EnvironmentName)
            .WithEnvironment("ASPNETCORE_URLS", () => resource.Urls)
            .WithIconName("CodeCsRectangle")
            .ExcludeFromManifest();
        return cube.Settings.Dashboard ? service.WithOtlpExporter() : service;
    }

    /// <summary>Adds a listener of the service itself, without Aspire's proxy, which would hide the client address.</summary>
    public static IResourceBuilder<T> WithListener<T>(this IResourceBuilder<T> service, CubeBuilder cube, string scheme, int port, string host = "127.0.0.1")
        where T : IResourceWithEndpoints => service.WithEndpoint(scheme, endpoint =>
        {
            endpoint.UriScheme = scheme;
            if (cube.Builder.ExecutionContext.IsRunMode)
            {
                (endpoint.Port, endpoint.TargetPort, endpoint.IsProxied, endpoint.TargetHost) = (port, port, false, host);
            }
        });

    /// <summary>Sets the connection string of a service's database. The service waits for a server that is started at the same time.</summary>
    public static IResourceBuilder<T> WithDatabase<T>(this IResourceBuilder<T> service, CubeBuilder cube, DatabaseServer server, IResourceBuilder<IResourceWithConnectionString> database, string name)
        where T : IResourceWithEnvironment, IResourceWithWaitSupport
    {
        service.WithReference(database, connectionName: name);
        return cube.Builder.ExecutionContext.IsPublishMode ? service.WaitFor(database) : server.IsStarted ? service.WithEnvironment("Database__StartTimeout", "00:02:00") : service;
    }

    /// <summary>Sets the addresses of another service.</summary>
    public static IResourceBuilder<T> WithServiceReference<T>(this IResourceBuilder<T> service, IResourceBuilder<IResourceWithServiceDiscovery> other)
        where T : IResourceWithEnvironment => service.WithReference(other);

    /// <summary>Sets Kestrel's default https certificate.</summary>
    public static IResourceBuilder<T> WithCertificate<T>(this IResourceBuilder<T> project, LocalCertificate? certificate)
        where T : IResourceWithEnvironment =>
        certificate is null
            ? project
            : project
                .WithEnvironment("Kestrel__Certificates__Default__Path", certificate.CertificatePath)
                .WithEnvironment("Kestrel__Certificates__Default__KeyPath", certificate.KeyPath);

    /// <summary>Adds a health check of the agent's <c>/health</c>. It does not validate the certificate, which the agent generates at startup; the request contains nothing confidential and uses loopback.</summary>
    public static IResourceBuilder<T> WithAgentHealthCheck<T>(this IResourceBuilder<T> project)
        where T : IResourceWithEndpoints
    {
        if (project.ApplicationBuilder.ExecutionContext.IsPublishMode)
        {
            return project;
        }

        var key = $"{project.Resource.Name}-health";
        project.ApplicationBuilder.Services.AddHealthChecks().Add(new HealthCheckRegistration(
            key, _ => new AgentHealthCheck(project.GetEndpoint("https")), HealthStatus.Unhealthy, null));
        return project.WithHealthCheck(key);
    }

    /// <summary>Sets the attestation platform of the agent and the seed appraisal policy of the proxy.</summary>
    public static void AddAttestation<T>(this CubeBuilder cube, IResourceBuilder<T> agent, IResourceBuilder<T> proxy)
        where T : IResourceWithEnvironment
    {
        const string Platform = "Attestation__Platform", SeedPolicy = "Attestation__FirstPolicy";
        if (cube.Builder.ExecutionContext.IsPublishMode)
        {
            agent.WithEnvironment(Platform, cube.Builder.AddParameter("attestation-platform").WithDescription("Attestation platform of the agent: sev-snp, tdx or azure."));
            proxy.WithEnvironment(SeedPolicy, cube.Builder.AddParameter("attestation-policy").WithDescription("Seed appraisal policy of the platform, as JSON."));
            return;
        }

        agent.WithEnvironment(Platform, cube.Settings.Attestation);
        if (cube.Settings.Attestation == "simulated")
        {
            proxy.WithEnvironment("Attestation__Simulated", "true");
        }

        proxy.WithEnvironment(SeedPolicy, cube.Settings.AttestationPolicy ?? """{"types":["simulated"]}""");
    }

    /// <summary>Sets the model server of the agent.</summary>
    public static IResourceBuilder<T> WithModel<T>(this IResourceBuilder<T> agent, ModelServer model)
        where T : IResourceWithEnvironment, IResourceWithWaitSupport
    {
        agent.WithEnvironment("Backend__Kind", model.Kind);
        if (model.Url is { } url)
        {
            agent.WithEnvironment("Backend__Url", url);
        }

        return model.WaitFor is { } server ? agent.WaitFor(server) : agent;
    }

    /// <summary>Sets the authorization engine of a service, and its key.</summary>
    /// <param name="service">The service that sends requests to the engine.</param>
    /// <param name="authorization">The engine.</param>
    /// <param name="embedded">The service that hosts the embedded engine; null for Identity itself.</param>
    public static IResourceBuilder<T> WithAuthorization<T>(this IResourceBuilder<T> service, AuthorizationServer authorization, IResourceBuilder<T>? embedded = null)
        where T : IResourceWithEnvironment, IResourceWithEndpoints, IResourceWithWaitSupport
    {
        service.WithEnvironment("Authorization__Engine", authorization.Engine).WithEnvironment("Authorization__Key", authorization.Key);
        if (authorization.Url is { } url)
        {
            service.WithEnvironment($"services__authorization__{authorization.Scheme}__0", url);
        }
        else if (embedded is not null)
        {
            service.WithEnvironment("services__authorization__http__0", embedded.GetEndpoint("http"));
        }

        return authorization.WaitFor is { } server ? service.WaitFor(server) : service;
    }

    /// <summary>Without a configured mail server, Identity writes mails as files into the data directory.</summary>
    public static IResourceBuilder<T> WithMail<T>(this IResourceBuilder<T> identity, CubeBuilder cube)
        where T : IResourceWithEnvironment =>
        cube.Builder.ExecutionContext.IsPublishMode || Environment.GetEnvironmentVariable("Mail__Host") is { Length: > 0 }
            ? identity
            : identity
                .WithEnvironment("Mail__Directory", cube.Data["mail"])
                .WithEnvironment("Mail__From", "cube@localhost")
                .WithEnvironment("Mail__LinkBase", string.Create(CultureInfo.InvariantCulture, $"http://localhost:{cube.Settings.Ports.Http}"));

    /// <summary>The configured password, or one that is generated and stored.</summary>
    public static IResourceBuilder<ParameterResource> AddAdminPassword(this CubeBuilder cube) => cube.Settings.AdminPassword is { } given
        ? cube.Builder.AddParameter(AdminPassword, () => given, secret: true)
        : cube.Builder.AddParameter(AdminPassword, cube.Secret(AdminPassword), secret: true);

    /// <summary>The proxy's certificate; null in publish mode. The agent generates its own certificate in memory.</summary>
    public static LocalCertificate? EnsureCertificate(this CubeBuilder cube) =>
        cube.Builder.ExecutionContext.IsPublishMode ? null : LocalCertificate.Ensure(cube.Data, "proxy", TimeProvider.System);

    /// <summary>In run mode, reports readiness and restarts services that end.</summary>
    public static void AddReadiness(
        this CubeBuilder cube, IResourceBuilder<IResourceWithConnectionString> database, DatabaseServer databases, AuthorizationServer authorization,
        ModelServer model, LocalCertificate? proxyCertificate, IReadOnlyList<IResource> services)
    {
        if (proxyCertificate is null)
        {
            return;
        }

        List<IResource> awaited = [.. services];
        awaited.InsertRange(
            0, new[] { (database.Resource as IResourceWithParent)?.Parent, authorization.WaitFor?.Resource, model.WaitFor?.Resource }.OfType<IResource>());
        cube.Builder.Services
            .AddSingleton(new Topology(database.Resource, databases.Description, authorization, model, proxyCertificate, awaited))
            .AddSingleton<Supervisor>()
            // The first hosted service: Aspire's own does not return before everything is started.
            .Insert(0, ServiceDescriptor.Singleton<IHostedService, Readiness>());
    }

    private sealed class AgentHealthCheck(EndpointReference endpoint) : IHealthCheck, IDisposable
    {
        private readonly HttpClient _http = new(new SocketsHttpHandler
        {
            UseProxy = false,
            SslOptions = new SslClientAuthenticationOptions
            {
                RemoteCertificateValidationCallback = static (_, certificate, _, _) => certificate is not null,
            },
        })
        { Timeout = TimeSpan.FromSeconds(5) };

        public async Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default)
        {
            try
            {
                using var response = await _http.GetAsync(new Uri($"{endpoint.Url}/health"), cancellationToken);
                return response.IsSuccessStatusCode ? HealthCheckResult.Healthy() : HealthCheckResult.Unhealthy($"The agent responded with status {(int)response.StatusCode}.");
            }
            catch (Exception exception) when (exception is HttpRequestException or OperationCanceledException)
            {
                return HealthCheckResult.Unhealthy(exception.Message);
            }
        }

        public void Dispose() => _http.Dispose();
    }
}
