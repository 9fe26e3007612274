using Cube.AppHost.Settings;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Cube.AppHost.Hosting;

/// <summary>Aspire's builder with settings, data directory and ports.</summary>
internal sealed class CubeBuilder
{
    private readonly Lazy<Task<bool>> _containers;

    private CubeBuilder(IDistributedApplicationBuilder builder, CubeSettings settings, DataDirectory? data)
    {
        (Builder, Settings, RunData) = (builder, settings, data);
        _containers = new(() => ContainerRuntime.IsAvailableAsync(settings.Servers));
    }

    public IDistributedApplicationBuilder Builder { get; }

    public CubeSettings Settings { get; }

    /// <summary>Whether the services are started from their build output; otherwise as projects.</summary>
    public bool StartsPrograms => Builder.ExecutionContext.IsRunMode
        && ((IProjectMetadata[])[new Projects.Cube_Identity(), new Projects.Cube_Agent(), new Projects.Cube_Proxy()]).All(static project => ServiceResource.FindProgram(project) is not null);

    /// <summary>Available in run mode only.</summary>
    public DataDirectory Data => RunData ?? throw new InvalidOperationException("There is no data directory in publish mode.");

    private DataDirectory? RunData { get; }

    /// <exception cref="StartupException">A setting is invalid, a port is in use, or the data directory cannot be used.</exception>
    public static CubeBuilder Create(string[] args)
    {
        var settings = CubeSettings.Read(args);
        DashboardDefaults.Apply(settings);
        var builder = DistributedApplication.CreateBuilder(new DistributedApplicationOptions
        {
            Args = args,
            DisableDashboard = !settings.Dashboard,
            AllowUnsecuredTransport = true,
            TrustDeveloperCertificate = false,
            DeveloperCertificateDefaultHttpsTerminationEnabled = false,
        });
        if (builder.ExecutionContext.IsPublishMode)
        {
            return new CubeBuilder(builder, settings, null);
        }

        // First, so that a ready.json left by a killed Cube is deleted.
        var data = DataDirectory.Open(settings.DataDirectory);
        settings.Ports.RequireFree(settings.Bind, settings.Dashboard);
        // A factory, so that the application disposes the directory: it deletes ready.json, then releases the lock.
        builder.Services.AddSingleton(settings).AddSingleton(_ => data);
        // Ctrl-C waits until all started resources are gone.
        builder.Configuration["DcpPublisher:WaitForResourceCleanup"] = "true";
        // The start message replaces Aspire's longer output.
        builder.Services.AddLogging(static logging => logging
            .AddFilter("Aspire", LogLevel.Warning)
            .AddFilter("Microsoft", LogLevel.Warning)
            .AddFilter("Microsoft.Extensions", LogLevel.None)
            .AddFilter("Microsoft.AspNetCore.DataProtection", LogLevel.Error)
            // Readiness reports the same with the reason; http on loopback needs no trusted certificate.
            .AddFilter("Aspire.Hosting.ApplicationModel.ResourceNotificationService", LogLevel.Critical)
            .AddFilter("Aspire.Hosting.Dcp.DcpHost", LogLevel.Error));
        return new CubeBuilder(builder, settings, data);
    }

    public Task<bool> HasContainersAsync() => _containers.Value;

    public ParameterDefault Secret(string name) => RunData is { } data
        ? new StoredSecret(data, name)
        : new GenerateParameterDefault { MinLength = 24, Special = false };

    /// <summary>One volume per data directory, so that instances do not share a database.</summary>
    public string VolumeName(string resource) => RunData is { } data ? $"cube-{resource}-{data.Id}" : $"cube-{resource}";
}
