using System.Text;
using Cube.Attestation.Policy;
using Cube.Proxy.Configuration.Catalogs;
using Cube.Proxy.Configuration.Policies;
using Cube.Proxy.Configuration.Routes;
using Cube.Proxy.Database;
using Cube.ServiceDefaults.Errors;
using Cube.ServiceDefaults.Hosting;
using Microsoft.Extensions.Options;
using Npgsql;

namespace Cube.Proxy.Configuration;

/// <summary>
/// The policies, routes and model catalog that are in force now, in memory, of one moment. A change made anywhere is heard of at once, through <c>NOTIFY</c>, and looked for every second
/// besides. Where the database has been silent for too long, nobody knows what is in force, and nothing passes.
/// </summary>
internal sealed partial class ProxyConfigurationProvider(
    PolicyStore store, RouteStore routes, SeedRoutes seedRoutes, ProxyDatabase database, IOptions<PolicyOptions> options, TimeProvider time, ILogger<ProxyConfigurationProvider> logger) : BackgroundService
{
    private const string Channel = "cube_attestation";
    private static readonly TimeSpan _interval = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan _trust = TimeSpan.FromSeconds(10);
    private readonly SemaphoreSlim _reading = new(1);
    private readonly Lock _swapping = new();
    private readonly ConfigurationReader _reader = new(database, options.Value.Simulated);
    private volatile ConfigurationSnapshot _snapshot = new(StoredConfiguration.Empty, generation: 0);
    private long _confirmedAt;

    /// <summary>Raised after every change, on the thread that found it.</summary>
    public event Action? Changed;

    /// <exception cref="UnavailableException">The database has been silent for ten seconds.</exception>
    public ConfigurationSnapshot Current => time.GetElapsedTime(Interlocked.Read(ref _confirmedAt)) <= _trust
        ? _snapshot
        : throw new UnavailableException("The attestation policies");

    public string Description => string.Join(", ", _snapshot.PlatformSet.Policies.SelectMany(static policy => policy.Policy.Types)) is { Length: > 0 } types ? types : "none";

    /// <summary>Writes the first policy where there is none, and reads what is in force before the first request.</summary>
    /// <remarks>Whatever is stored, the proxy starts: what it cannot load is closed and reported.</remarks>
    /// <exception cref="SettingException">A configured policy or route cannot be loaded.</exception>
    public override async Task StartAsync(CancellationToken cancellationToken)
    {
        try
        {
            if (options.Value.FirstPolicy is { Length: > 0 } first)
            {
                var text = first.TrimStart().StartsWith('{') ? first : await File.ReadAllTextAsync(first, cancellationToken);
                PolicyJson.Parse(Encoding.UTF8.GetBytes(text), options.Value.Simulated);
                await store.SeedAsync(text, cancellationToken);
            }

            await routes.SeedAsync(seedRoutes.Read(options.Value.Simulated), cancellationToken);

            await ReadAsync(cancellationToken);
        }
        catch (Exception exception) when (exception is PolicyException or IOException or UnauthorizedAccessException)
        {
            throw new SettingException($"Attestation__FirstPolicy cannot be loaded: {exception.Message}");
        }
        catch (NpgsqlException exception)
        {
            throw new SettingException($"The database {ProxyDatabase.ConnectionName} does not answer: {exception.Message}");
        }

        if (_snapshot.PlatformSet.Policies.Count == 0)
        {
            NoPolicy();
        }

        await base.StartAsync(cancellationToken);
    }

    /// <summary>Reads what is in force now; whoever has changed it waits for this before he says so.</summary>
    public async Task ReadAsync(CancellationToken ct)
    {
        await _reading.WaitAsync(ct);
        try
        {
            var state = await _reader.ReadAsync(ct);
            if (state is not null)
            {
                Report(_snapshot.Unreadable, state.Unreadable);
                lock (_swapping)
                {
                    _snapshot = new ConfigurationSnapshot(state, _snapshot.Generation);
                }

                InForce(_snapshot.PlatformSet.Key, _snapshot.PolicyCount, _snapshot.Routes.All.Count, _snapshot.CatalogCount);
            }

            Interlocked.Exchange(ref _confirmedAt, time.GetTimestamp());
            if (state is null)
            {
                return;
            }
        }
        finally
        {
            _reading.Release();
        }

        Changed?.Invoke();
    }

    /// <summary>The same policies are to be held against every machine anew.</summary>
    public void Reverify()
    {
        lock (_swapping)
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
            catch (Exception exception) when (exception is NpgsqlException or TimeoutException or IOException or OperationCanceledException)
            {
                Silent(exception.GetType().Name);
                await Task.Delay(_interval, time, stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
        }
    }

    private void Report(IReadOnlyCollection<Unreadable> before, IReadOnlyCollection<Unreadable> now)
    {
        foreach (var row in now.Except(before))
        {
            Unloadable(row.Kind, row.Name, row.Problem);
        }
    }

    public override void Dispose()
    {
        _reading.Dispose();
        base.Dispose();
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "In force: {Key}, {Policies} attestation policies, {Routes} routes, {Catalogs} model catalogs")]
    private partial void InForce(string key, int policies, int routes, int catalogs);

    [LoggerMessage(Level = LogLevel.Warning, Message = "No attestation policy of the platform is in force: every machine is refused")]
    private partial void NoPolicy();

    [LoggerMessage(Level = LogLevel.Warning, Message = "The attestation policies cannot be read ({Reason}); after ten seconds nothing passes")]
    private partial void Silent(string reason);

    [LoggerMessage(Level = LogLevel.Error, Message = "The stored {Kind} of {Name} cannot be loaded, and what it is for is closed until it is replaced or removed: {Problem}")]
    private partial void Unloadable(string kind, string name, string problem);
}
