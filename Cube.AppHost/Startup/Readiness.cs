using System.Diagnostics;
using System.Reflection;
using System.Text.RegularExpressions;
using Cube.AppHost.Hosting;
using Cube.AppHost.Models;
using Cube.AppHost.Settings;
using Cube.AppHost.SpiceDb;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Npgsql;

namespace Cube.AppHost.Startup;

/// <summary>The resources that <see cref="Readiness"/> waits for and reports.</summary>
internal sealed record Topology(
    IResourceWithConnectionString Database, string DatabaseDescription, AuthorizationServer Authorization, ModelServer Model,
    LocalCertificate ProxyCertificate, IReadOnlyList<IResource> Awaited);

/// <summary>Reports what has started and how to use it, and writes <see cref="ReadyFile"/>. If a resource does not start, reports the reason and stops the application.</summary>
internal sealed partial class Readiness(
    Topology topology, CubeSettings settings, DataDirectory data, ResourceNotificationService resources, ResourceLoggerService logs,
    IHostApplicationLifetime lifetime, IServiceProvider services) : BackgroundService
{
    /// <summary>Interval of messages about a resource that is not ready.</summary>
    private static readonly TimeSpan ReportInterval = TimeSpan.FromSeconds(30);

    /// <summary>The reason why the application failed to start, or null.</summary>
    public static string? Failure { get; private set; }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        var clock = Stopwatch.StartNew();
        try
        {
            Console.WriteLine($"Cube {Version} starts; data in {data.Path}");
            await foreach (var done in Task.WhenEach([ShowPullsAsync(stoppingToken), .. topology.Awaited.Select(resource => AwaitAsync(resource, clock, stoppingToken))]))
            {
                // The first failure ends the wait, because dependent resources would never become ready.
                await done;
            }

            var ready = await DescribeAsync(stoppingToken);
            ready.Write(data);
            StartMessage.Write(Console.Out, ready, topology, settings, data, clock.Elapsed);
            services.GetRequiredService<Supervisor>().Start();
        }
        catch (StartupException exception)
        {
            Failure = exception.Message;
            lifetime.StopApplication();
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            // The application stops before it is ready.
        }
    }

    private async Task AwaitAsync(IResource resource, Stopwatch clock, CancellationToken ct)
    {
        try
        {
            var healthy = resource is ServiceResource service ? WaitForServiceAsync(service, ct) : resources.WaitForResourceHealthyAsync(resource.Name, WaitBehavior.StopOnResourceUnavailable, ct);
            while (await Task.WhenAny(healthy, Task.Delay(ReportInterval, ct)) != healthy && !ct.IsCancellationRequested)
            {
                Console.WriteLine($"  {resource.Name,-12}not ready after {clock.Elapsed.TotalSeconds:F0} s; see its log in the dashboard");
            }

            await healthy;
            Console.WriteLine($"  {resource.Name,-12}ready after {clock.Elapsed.TotalSeconds:F1} s");
        }
        catch (DistributedApplicationException)
        {
            throw new StartupException($"{resource.Name} did not start. {await LastOutputAsync(resource)}");
        }
    }

    /// <summary>Aspire checks the health of a resource at intervals of a second or more. A service is ready earlier.</summary>
    private async Task WaitForServiceAsync(ServiceResource service, CancellationToken ct)
    {
        using var http = new HttpClient(new SocketsHttpHandler { UseProxy = false, SslOptions = new() { RemoteCertificateValidationCallback = static (_, certificate, _, _) => certificate is not null } })
        {
            Timeout = TimeSpan.FromSeconds(5),
        };
        var address = new Uri($"{service.Urls.Split(';')[0].Replace("//0.0.0.0:", "//127.0.0.1:", StringComparison.Ordinal).Replace("//[::]:", "//[::1]:", StringComparison.Ordinal)}/health");
        var ended = resources.WaitForResourceAsync(service.Name, KnownResourceStates.TerminalStates, ct);
        while (!ended.IsCompleted)
        {
            try
            {
                using var response = await http.GetAsync(address, ct);
                if (response.IsSuccessStatusCode)
                {
                    return;
                }
            }
            catch (Exception exception) when (exception is HttpRequestException or TaskCanceledException && !ct.IsCancellationRequested)
            {
                // The service does not listen yet.
            }

            await Task.WhenAny(ended, Task.Delay(50, ct));
        }

        ct.ThrowIfCancellationRequested();
        throw new DistributedApplicationException($"{service.Name} has ended.");
    }

    /// <summary>Returns the last line on standard error, which usually contains the reason.</summary>
    private async Task<string> LastOutputAsync(IResource resource)
    {
        var said = new List<LogLine>();
        await foreach (var lines in logs.GetAllAsync(resource))
        {
            // Skip the messages of DCP and Aspire.
            said.AddRange(lines.Where(static line => !line.Content.Contains(" [sys] ", StringComparison.Ordinal) && !string.IsNullOrWhiteSpace(line.Content)));
        }

        var last = said.OrderBy(static line => line.IsErrorMessage).LastOrDefault().Content ?? "It wrote no output.";
        // 2026-11-24T16:02:45.1234567Z Cube.Identity: The database identity does not answer
        return Timestamp().Replace(last, "");
    }

    [GeneratedRegex(@"^\d{4}-\d\d-\d\dT\S+Z ")]
    private static partial Regex Timestamp();

    private async Task ShowPullsAsync(CancellationToken ct)
    {
        if (topology.Model.WaitFor is not { Resource: OllamaModelResource model })
        {
            return;
        }

        var (shown, last) = (Stopwatch.StartNew(), "");
        await foreach (var change in resources.WatchAsync(ct))
        {
            if (change.Resource != model || change.Snapshot.State?.Text is not { } state)
            {
                continue;
            }

            if (state == KnownResourceStates.Running || KnownResourceStates.TerminalStates.Contains(state))
            {
                return;
            }

            if (state != last && shown.Elapsed > TimeSpan.FromSeconds(2))
            {
                Console.WriteLine($"  {model.Name,-12}{state}");
                (last, shown) = (state, Stopwatch.StartNew());
            }
        }
    }

    private async Task<ReadyFile> DescribeAsync(CancellationToken ct)
    {
        var host = settings.Bind is "0.0.0.0" or "::" ? "localhost" : settings.Bind;
        return new ReadyFile
        {
            Pid = Environment.ProcessId,
            Version = Version,
            Proxy = $"http://{host}:{settings.Ports.Http}",
            ProxyHttps = $"https://{host}:{settings.Ports.Https}",
            Certificate = topology.ProxyCertificate.CertificatePath,
            Identity = $"http://127.0.0.1:{settings.Ports.Identity}",
            Agent = $"https://127.0.0.1:{settings.Ports.Agent}",
            // The embedded engine uses Identity's address.
            Authorization = topology.Authorization.Url is { } url
                ? (await url.GetValueAsync(ct))?.TrimEnd('/')
                : $"http://127.0.0.1:{settings.Ports.Identity}",
            Domain = await FindDomainAsync(ct),
            Model = await FindModelAsync(ct),
            Backend = topology.Model.Kind,
            Attestation = settings.Attestation,
        };
    }

    private async Task<Guid?> FindDomainAsync(CancellationToken ct)
    {
        var connectionString = await topology.Database.GetConnectionStringAsync(ct);
        await using var source = NpgsqlDataSource.Create(connectionString ?? "");
        await using var query = source.CreateCommand("select id from domains where lower(route) = $1");
        query.Parameters.AddWithValue(CubeResources.SeedDomain);
        return (Guid?)await query.ExecuteScalarAsync(ct);
    }

    private async Task<string?> FindModelAsync(CancellationToken ct)
    {
        if (topology.Model.Url is null)
        {
            return "cube-guide";
        }

        try
        {
            using var client = new ModelServerClient(new Uri(await topology.Model.Url.GetValueAsync(ct) ?? ""));
            var models = await client.ModelsAsync(ct);
            return models.FirstOrDefault(model => model == settings.Model || model == $"{settings.Model}:latest") ?? (models.Count > 0 ? models[0] : null);
        }
        catch (HttpRequestException)
        {
            return settings.Model;
        }
    }

    private static string Version { get; } =
        typeof(Readiness).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion.Split('+')[0] ?? "0";
}
