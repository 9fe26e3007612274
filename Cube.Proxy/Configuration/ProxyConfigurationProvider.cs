using System.Net.Sockets;
using System.Text;
using Cube.Attestation.Policy;
using Cube.Proxy.Configuration.Policies;
using Cube.Proxy.Configuration.Routes;
using Cube.Proxy.Database;
using Cube.ServiceDefaults.Errors;
using Cube.ServiceDefaults.Hosting;
using Microsoft.Extensions.Options;
using Npgsql;

namespace Cube.Proxy.Configuration;

/// <summary>
/// Provides the active policies, routes and model catalogs from memory, as one consistent snapshot. <c>NOTIFY</c> announces each change of the database; in addition, the proxy checks for changes
/// every second. If the database has not responded for ten seconds, the active policies are unknown, and the proxy rejects all requests.
/// </summary>
internal sealed partial class ProxyConfigurationProvider(
    PolicyStore store, RouteStore routes, SeedRoutes seedRoutes, ProxyDatabase database, IOptions<PolicyOptions> options, TimeProvider time, ILogger<ProxyConfigurationProvider> logger) : BackgroundService
{
    private const string Channel = "cube_attestation";
    private static readonly TimeSpan _interval = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan _maxAge = TimeSpan.FromSeconds(10);
    private readonly SemaphoreSlim _readLock = new(1);
    private readonly Lock _snapshotLock = new();
    private readonly ConfigurationReader _reader = new(database, options.Value.Simulated);
    private volatile ConfigurationSnapshot _snapshot = new(StoredConfiguration.Empty, generation: 0);
    private long _confirmedAt;

    /// <summary>Raised after each change, synchronously on the thread that has read it.</summary>
    public event Action? Changed;

    /// <exception cref="UnavailableException">The database has not responded for ten seconds.</exception>
    public ConfigurationSnapshot Current => time.GetElapsedTime(Interlocked.Read(ref _confirmedAt)) <= _maxAge
        ? _snapshot
        : throw new UnavailableException("The attestation policies");

    /// <summary>The Evidence types that the platform policy accepts, for the log.</summary>
    public string Description => string.Join(", ", _snapshot.PlatformSet.Policies.SelectMany(static policy => policy.Policy.Types)) is { Length: > 0 } types ? types : "none";

    /// <summary>Stores the seed policy and the seed routes in a new database, and reads the configuration before the proxy accepts requests.</summary>
    /// <remarks>The proxy starts whatever the database contains. It rejects requests for rows that it cannot load, and reports these rows.</remarks>
    /// <exception cref="SettingException">A configured policy or route is not valid, or the database does not answer.</exception>
    public override async Task StartAsync(CancellationToken cancellationToken)
    {
        try
        {
            if (options.Value.FirstPolicy is { Length: > 0 } setting)
            {
                var policy = setting.TrimStart().StartsWith('{') ? setting : await File.ReadAllTextAsync(setting, cancellationToken);
                PolicyJson.Parse(Encoding.UTF8.GetBytes(policy), options.Value.Simulated);
                await store.SeedAsync(policy, cancellationToken);
            }

            await routes.SeedAsync(seedRoutes.Read(options.Value.Simulated), cancellationToken);

            await ReadAsync(cancellationToken);
        }
        catch (Exception exception) when (exception is PolicyException or IOException or UnauthorizedAccessException)
        {
            throw new SettingException($"The proxy cannot load Attestation__FirstPolicy: {exception.Message}");
        }
        catch (NpgsqlException exception)
        {
            throw new SettingException($"The database {ProxyDatabase.ConnectionName} does not answer: {exception.Message}");
        }

        if (_snapshot.PlatformSet.Policies.Count == 0)
        {
            NoPlatformPolicy();
        }

        await base.StartAsync(cancellationToken);
    }

    /// <summary>Reads the stored configuration now. An API that changes it awaits this call before it responds.</summary>
    public async Task ReadAsync(CancellationToken ct)
    {
        await _readLock.WaitAsync(ct);
        try
        {
            var configuration = await _reader.ReadAsync(ct);
            if (configuration is not null)
            {
                ReportUnreadable(_snapshot.Unreadable, configuration.Unreadable);
                lock (_snapshotLock)
                {
                    _snapshot = new ConfigurationSnapshot(configuration, _snapshot.Generation);
                }

                ConfigurationLoaded(_snapshot.PlatformSet.Key, _snapshot.PolicyCount, _snapshot.Routes.All.Count, _snapshot.CatalogCount);
            }

            Interlocked.Exchange(ref _confirmedAt, time.GetTimestamp());
            if (configuration is null)
            {
                return;
            }
        }
        finally
        {
            _readLock.Release();
        }

        Changed?.Invoke();
    }

    /// <summary>Starts a new generation: the proxy verifies every machine again, under the same policies.</summary>
    public void Reverify()
    {
        lock (_snapshotLock)
        {
            _snapshot = _snapshot.WithNextGeneration();
        }

        Changed?.Invoke();
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        while (!stoppingToken.IsCancellationRequested)
        {
            try
            {
                await using var connection = await database.Source.OpenConnectionAsync(stoppingToken);
                await using (var listen = new NpgsqlCommand($"listen {Channel}", connection))
                {
                    await listen.ExecuteNonQueryAsync(stoppingToken);
                }

                while (true)
                {
                    await ReadAsync(stoppingToken);
                    await connection.WaitAsync(_interval, stoppingToken);
                }
            }
            catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
            {
                return;
            }
            catch (Exception exception) when (exception is NpgsqlException or TimeoutException or IOException or OperationCanceledException or SocketException)
            {
                ReadFailed(exception.GetType().Name);
                await Task.Delay(_interval, time, stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
        }
    }

    private void ReportUnreadable(IReadOnlyCollection<UnreadableRow> before, IReadOnlyCollection<UnreadableRow> now)
    {
        foreach (var row in now.Except(before))
        {
            RowUnreadable(row.Kind, row.Name, row.Problem);
        }
    }

    public override void Dispose()
    {
        _readLock.Dispose();
        base.Dispose();
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "The proxy loaded its configuration: {Key}, {Policies} attestation policies, {Routes} routes, {Catalogs} model catalogs.")]
    private partial void ConfigurationLoaded(string key, int policies, int routes, int catalogs);

    [LoggerMessage(Level = LogLevel.Warning, Message = "The platform has no active attestation policy. The proxy rejects every machine.")]
    private partial void NoPlatformPolicy();

    [LoggerMessage(Level = LogLevel.Warning, Message = "The proxy cannot read its configuration from the database ({Reason}). After ten seconds it rejects all requests.")]
    private partial void ReadFailed(string reason);

    [LoggerMessage(Level = LogLevel.Error, Message = "The proxy cannot load the stored {Kind} of {Name}: {Problem} It rejects the requests that need it until the row is replaced or removed.")]
    private partial void RowUnreadable(string kind, string name, string problem);
}
