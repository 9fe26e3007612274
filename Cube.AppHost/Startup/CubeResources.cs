using System.Globalization;
using System.Net.Security;
using Cube.AppHost.Models;
using Cube.AppHost.Postgres;
using Cube.AppHost.Settings;
using Cube.AppHost.SpiceDb;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Hosting;

namespace Cube.AppHost.Startup;

/// <summary>Steps of the topology that would blur it.</summary>
internal static class CubeResources
{
    public const string SeedDomain = "default";
    public const string AdminPassword = "admin-password";

    /// <summary>A service of Cube's, in the environment that the AppHost itself is in.</summary>
    public static IResourceBuilder<ProjectResource> AddService<TProject>(this CubeBuilder cube, string name)
        where TProject : IProjectMetadata, new()
    {
        var project = cube.Builder.AddProject<TProject>(name);
        return cube.Builder.ExecutionContext.IsRunMode
            ? project.WithEnvironment("ASPNETCORE_ENVIRONMENT", cube.Builder.Environment.EnvironmentName)
            : project;
    }

    /// <summary>A listener of the service itself, without Aspire's own proxy in front, which would hide whom a request comes from.</summary>
    public static IResourceBuilder<ProjectResource> WithListener(
        this IResourceBuilder<ProjectResource> project, CubeBuilder cube, string scheme, int port, string host = "127.0.0.1") =>
        project.WithEndpoint(scheme, endpoint =>
        {
            endpoint.UriScheme = scheme;
            if (cube.Builder.ExecutionContext.IsRunMode)
            {
                (endpoint.Port, endpoint.TargetPort, endpoint.IsProxied, endpoint.TargetHost) = (port, port, false, host);
            }
        });

    /// <summary>The certificate that Kestrel shows on https.</summary>
    public static IResourceBuilder<ProjectResource> WithCertificate(this IResourceBuilder<ProjectResource> project, LocalCertificate? certificate) =>
        certificate is null
            ? project
            : project
                .WithEnvironment("Kestrel__Certificates__Default__Path", certificate.CertificatePath)
                .WithEnvironment("Kestrel__Certificates__Default__KeyPath", certificate.KeyPath);

    /// <summary>Asks <c>/health</c> of the agent, whose certificate nobody knows before it has made it. What is asked is no secret, and goes over loopback.</summary>
    public static IResourceBuilder<ProjectResource> WithAgentHealthCheck(this IResourceBuilder<ProjectResource> project)
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

    /// <summary>What the agent proves, and whom the proxy believes.</summary>
    public static void AddAttestation(this CubeBuilder cube, IResourceBuilder<ProjectResource> agent, IResourceBuilder<ProjectResource> proxy)
    {
        const string Platform = "Attestation__Platform", FirstPolicy = "Attestation__FirstPolicy";
        if (cube.Builder.ExecutionContext.IsPublishMode)
        {
            agent.WithEnvironment(Platform, cube.Builder.AddParameter("attestation-platform").WithDescription("What the agent runs on: sev-snp, tdx, azure."));
            proxy.WithEnvironment(FirstPolicy, cube.Builder.AddParameter("attestation-policy").WithDescription("The platform's first attestation policy, as JSON."));
            return;
        }

        agent.WithEnvironment(Platform, cube.Settings.Attestation);
        if (cube.Settings.Attestation == "simulated")
        {
            proxy.WithEnvironment("Attestation__Simulated", "true");
        }

        proxy.WithEnvironment(FirstPolicy, cube.Settings.AttestationPolicy ?? """{"types":["simulated"]}""");
    }

    /// <summary>The model server that the agent forwards to.</summary>
    public static IResourceBuilder<ProjectResource> WithModel(this IResourceBuilder<ProjectResource> agent, ModelServer model)
    {
        agent.WithEnvironment("Backend__Kind", model.Kind);
        if (model.Url is { } url)
        {
            agent.WithEnvironment("Backend__Url", url);
        }

        return model.WaitFor is { } server ? agent.WaitFor(server) : agent;
    }

    /// <summary>Who decides what callers may do, and the key to it.</summary>
    /// <param name="service">Who asks.</param>
    /// <param name="authorization">Who decides.</param>
    /// <param name="embedded">Where the engine in Identity is asked; null for Identity itself.</param>
    public static IResourceBuilder<ProjectResource> WithAuthorization(
        this IResourceBuilder<ProjectResource> service, AuthorizationServer authorization, IResourceBuilder<ProjectResource>? embedded = null)
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

    /// <summary>Mails of a Cube that runs from here are files in its data directory, unless a server is configured.</summary>
    public static IResourceBuilder<ProjectResource> WithMail(this IResourceBuilder<ProjectResource> identity, CubeBuilder cube) =>
        cube.Builder.ExecutionContext.IsPublishMode || Environment.GetEnvironmentVariable("Mail__Host") is { Length: > 0 }
            ? identity
            : identity
                .WithEnvironment("Mail__Directory", cube.Data["mail"])
                .WithEnvironment("Mail__From", "cube@localhost")
                .WithEnvironment("Mail__LinkBase", string.Create(CultureInfo.InvariantCulture, $"http://localhost:{cube.Settings.Ports.Http}"));

    /// <summary>The one that was given, or one that is generated and kept.</summary>
    public static IResourceBuilder<ParameterResource> AddAdminPassword(this CubeBuilder cube) => cube.Settings.AdminPassword is { } given
        ? cube.Builder.AddParameter(AdminPassword, () => given, secret: true)
        : cube.Builder.AddParameter(AdminPassword, cube.Secret(AdminPassword), secret: true);

    /// <summary>The proxy's certificate; none where a deployment is published. The agent makes its own, in memory.</summary>
    public static LocalCertificate? EnsureCertificate(this CubeBuilder cube) =>
        cube.Builder.ExecutionContext.IsPublishMode ? null : LocalCertificate.Ensure(cube.Data, "proxy", TimeProvider.System);

    /// <summary>Where Cube runs rather than being published: tells when it is ready and keeps it running.</summary>
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
            // First of all hosted services: Aspire's own does not return before everything has been started.
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
                return response.IsSuccessStatusCode ? HealthCheckResult.Healthy() : HealthCheckResult.Unhealthy($"It answers {(int)response.StatusCode}.");
            }
            catch (Exception exception) when (exception is HttpRequestException or OperationCanceledException)
            {
                return HealthCheckResult.Unhealthy(exception.Message);
            }
        }

        public void Dispose() => _http.Dispose();
    }
}
