using System.Collections.Concurrent;
using System.Reflection;
using Cube.AppHost.Postgres;
using Cube.AppHost.Settings;
using Cube.Database;
using Npgsql;

[assembly: AssemblyFixture(typeof(Cube.Tests.Systems.PostgresServer))]

namespace Cube.Tests.Systems;

/// <summary>
/// One real PostgreSQL for all tests. It is started in the same way as by the AppHost, or it is the server that <c>CUBE_TEST_POSTGRES</c>
/// (the connection string of a superuser) names. Every system under test has a separate database.
/// </summary>
public sealed class PostgresServer : IAsyncLifetime
{
    private readonly string _folder = Directory.CreateTempSubdirectory("cube-tests-").FullName;
    private ServiceProcess? _process;
    private string? _connectionString = Environment.GetEnvironmentVariable("CUBE_TEST_POSTGRES");
    private string? _missing;
    private readonly ConcurrentDictionary<Assembly, Lazy<Task<string>>> _templates = new();

    public async ValueTask InitializeAsync()
    {
        if (_connectionString is { Length: > 0 })
        {
            return;
        }

        if (!OperatingSystem.IsWindows())
        {
            File.SetUnixFileMode(_folder, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute | UnixFileMode.OtherExecute);
        }

        try
        {
            using var data = DataDirectory.Open(Path.Combine(_folder, "data"));
            var host = await HostPostgres.PrepareAsync(data, "secret", TextWriter.Null);
            var port = Ports.Free();
            // The tests need no durability after a crash of the machine.
            var (program, arguments) = host.Command(
                host.Programs["postgres"], "-D", host.Cluster, "-p", $"{port}", "-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=",
                "-c", "fsync=off", "-c", "max_connections=300");
            _process = ServiceProcess.Start("postgres", program, arguments, []);
            _connectionString = $"Host=127.0.0.1;Port={port};Username={HostPostgres.User};Password=secret";
            await Eventually.TrueAsync(IsAnsweringAsync, "PostgreSQL answers");
        }
        catch (StartupException exception)
        {
            _missing = exception.Message;
        }
    }

    /// <summary>Creates the role that can only connect and notify, and returns its connection string.</summary>
    public async Task<string> CreateNotifyRoleAsync(string database)
    {
        await using var source = NpgsqlDataSource.Create($"{_connectionString};Database=postgres;Pooling=false");
        await using var create = source.CreateCommand(
            """
            do $$ begin
                perform pg_advisory_xact_lock(1);
                if not exists (select from pg_roles where rolname = 'cube_notify') then create role cube_notify login password 'notify'; end if;
            end $$
            """);
        await create.ExecuteNonQueryAsync();
        return new NpgsqlConnectionStringBuilder(database) { Username = "cube_notify", Password = "notify" }.ConnectionString;
    }

    /// <returns>The connection string of a new, empty database.</returns>
    public async Task<string> CreateDatabaseAsync() => ConnectionString(await CreateAsync("template1"));

    /// <param name="service">The service whose migrations are applied to the new database in advance, so that the service starts faster.</param>
    public async Task<string> CreateDatabaseAsync(Assembly service)
    {
        Assert.SkipWhen(_missing is not null, $"No PostgreSQL: {_missing}");
        // A failed migration is also cached.
        var template = _templates.GetOrAdd(service, added => new Lazy<Task<string>>(() => MigrateAsync(added)));
        return ConnectionString(await CreateAsync(await template.Value));
    }

    private async Task<string> MigrateAsync(Assembly service)
    {
        var name = await CreateAsync("template1");
        // A database with an open connection cannot be copied.
        var connection = $"{ConnectionString(name)};Pooling=false";
        await using var source = NpgsqlDataSource.Create(connection);
        Migrations.Run(service.GetName().Name!, service, source, connection, advisoryLock: 1);
        return name;
    }

    private async Task<string> CreateAsync(string template)
    {
        Assert.SkipWhen(_missing is not null, $"No PostgreSQL: {_missing}");
        var name = $"test_{Guid.NewGuid():N}";
        await using var source = NpgsqlDataSource.Create($"{_connectionString};Database=postgres;Pooling=false");
        await using var create = source.CreateCommand($"create database {name} template {template} strategy file_copy");
        await create.ExecuteNonQueryAsync();
        return name;
    }

    private string ConnectionString(string database) => $"{_connectionString};Database={database}";

    private async Task<bool> IsAnsweringAsync()
    {
        try
        {
            await using var connection = new NpgsqlConnection($"{_connectionString};Database=postgres;Pooling=false;Timeout=2");
            await connection.OpenAsync();
            return true;
        }
        catch (NpgsqlException)
        {
            return false;
        }
    }

    public async ValueTask DisposeAsync()
    {
        if (_process is not null)
        {
            await _process.DisposeAsync();
        }

        Directory.Delete(_folder, recursive: true);
    }
}
