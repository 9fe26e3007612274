using Cube.AppHost.Settings;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Cube.AppHost.Startup;

/// <summary>Aspire's builder with what this Cube was told: settings, data directory, ports.</summary>
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

    /// <summary>Only a Cube that runs has one.</summary>
    public DataDirectory Data => RunData ?? throw new InvalidOperationException("Nothing is kept when a deployment is published.");

    private DataDirectory? RunData { get; }

    /// <exception cref="StartupException">A setting is wrong, a port taken, or the data directory not to be used.</exception>
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

        // First of all: what a Cube that was killed left behind must not be taken for this one's.
        var data = DataDirectory.Open(settings.DataDirectory);
        settings.Ports.RequireFree(settings.Bind, settings.Dashboard);
        // A factory, so that it is disposed with the application: ready.json goes, then the lock.
        builder.Services.AddSingleton(settings).AddSingleton(_ => data);
        // Ctrl-C is over when everything that was started is gone.
        builder.Configuration["DcpPublisher:WaitForResourceCleanup"] = "true";
        // The start message says in a few lines what Aspire says in many.
        builder.Services.AddLogging(static logging => logging
            .AddFilter("Aspire", LogLevel.Warning)
            .AddFilter("Microsoft", LogLevel.Warning)
            .AddFilter("Microsoft.Extensions", LogLevel.None)
            .AddFilter("Microsoft.AspNetCore.DataProtection", LogLevel.Error)
            // Readiness says the same with the reason, and a laptop needs no trusted certificate for plain http on loopback.
            .AddFilter("Aspire.Hosting.ApplicationModel.ResourceNotificationService", LogLevel.Critical)
            .AddFilter("Aspire.Hosting.Dcp.DcpHost", LogLevel.Error));
        return new CubeBuilder(builder, settings, data);
    }

    public Task<bool> HasContainersAsync() => _containers.Value;

    public ParameterDefault Secret(string name) => RunData is { } data
        ? new StoredSecret(data, name)
        : new GenerateParameterDefault { MinLength = 24, Special = false };

    /// <summary>One volume a data directory, so that two of them do not share a database.</summary>
    public string VolumeName(string resource) => RunData is { } data ? $"cube-{resource}-{data.Id}" : $"cube-{resource}";
}
