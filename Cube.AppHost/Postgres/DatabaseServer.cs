using Cube.AppHost.Settings;
using Cube.AppHost.Startup;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Npgsql;

namespace Cube.AppHost.Postgres;

/// <summary>The PostgreSQL of this Cube, whichever of the four ways it comes.</summary>
internal abstract class DatabaseServer
{
    private const string ServerName = "postgres";

    /// <summary>How it comes, for people.</summary>
    public abstract string Description { get; }

    /// <param name="name">Name of the database; the resource is called <c>{name}-db</c>, since the service has the plain name.</param>
    public abstract IResourceBuilder<IResourceWithConnectionString> AddDatabase(string name);

    private static string ResourceName(string database) => $"{database}-db";

    /// <summary>The first that is there: an address in the configuration, a container, a program of this host, binaries that are fetched once.</summary>
    public static async Task<DatabaseServer> AddAsync(CubeBuilder cube)
    {
        var builder = cube.Builder;
        if (builder.Configuration.GetSection("ConnectionStrings:identity").Value is { Length: > 0 })
        {
            return new Configured(builder);
        }

        var password = builder.AddParameter("postgres-password", cube.Secret("postgres-password"), secret: true)
            .WithDescription("Password of Cube's own PostgreSQL.");
        if (builder.ExecutionContext.IsPublishMode || await cube.HasContainersAsync())
        {
            return new Container(builder.AddPostgres(ServerName, password: password).WithDataVolume(cube.VolumeName(ServerName)));
        }

        var host = await HostPostgres.PrepareAsync(cube.Data, (await password.Resource.GetValueAsync(default))!, Console.Out);
        return new Host(builder, host, password);
    }

    private sealed class Configured(IDistributedApplicationBuilder builder) : DatabaseServer
    {
        public override string Description => "as configured";

        public override IResourceBuilder<IResourceWithConnectionString> AddDatabase(string name)
        {
            var given = builder.AddParameterFromConfiguration($"{name}-connection", $"ConnectionStrings:{name}", secret: true);
            return builder.AddConnectionString(ResourceName(name), ReferenceExpression.Create($"{given}"));
        }
    }

    private sealed class Container(IResourceBuilder<PostgresServerResource> server) : DatabaseServer
    {
        public override string Description => "container";

        public override IResourceBuilder<IResourceWithConnectionString> AddDatabase(string name) => server.AddDatabase(ResourceName(name), name);
    }

    private sealed class Host : DatabaseServer
    {
        private readonly IDistributedApplicationBuilder _builder;
        private readonly IResourceBuilder<HostPostgresResource> _server;
        private readonly List<HostPostgresDatabaseResource> _databases = [];

        public Host(IDistributedApplicationBuilder builder, HostPostgres host, IResourceBuilder<ParameterResource> password)
        {
            _builder = builder;
            Description = $"PostgreSQL {host.Programs.Major} of this host";
            var port = Ports.Free();
            var (program, arguments) = host.Command(
                host.Programs["postgres"], "-D", host.Cluster, "-p", $"{port}", "-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=");
            var resource = new HostPostgresResource(ServerName, program, cubeDirectory(host), HostPostgres.User, password.Resource);
            builder.Services.AddHealthChecks().Add(new HealthCheckRegistration(
                $"{ServerName}-host", _ => new ServerHealthCheck(resource), HealthStatus.Unhealthy, null));
            _server = builder.AddResource(resource)
                .WithArgs([.. arguments])
                .WithEndpoint("tcp", endpoint =>
                {
                    (endpoint.Port, endpoint.TargetPort, endpoint.IsProxied, endpoint.TargetHost) = (port, port, false, "127.0.0.1");
                })
                .WithIconName("Database")
                .WithHealthCheck($"{ServerName}-host")
                .ExcludeFromManifest();
            _server.OnResourceReady(async (ready, happened, ct) => await CreateDatabasesAsync(ready, happened.Services.GetRequiredService<ResourceNotificationService>(), ct));

            static string cubeDirectory(HostPostgres host) => Path.GetDirectoryName(host.Cluster)!;
        }

        public override string Description { get; }

        public override IResourceBuilder<IResourceWithConnectionString> AddDatabase(string name)
        {
            var database = new HostPostgresDatabaseResource(ResourceName(name), name, _server.Resource);
            _databases.Add(database);
            return _builder.AddResource(database)
                .WithInitialState(new CustomResourceSnapshot { ResourceType = "PostgresDatabase", Properties = [], State = KnownResourceStates.Waiting })
                .ExcludeFromManifest();
        }

        private async Task CreateDatabasesAsync(HostPostgresResource server, ResourceNotificationService notifications, CancellationToken ct)
        {
            await using var source = NpgsqlDataSource.Create(await ConnectionStringAsync(server, ct));
            foreach (var database in _databases)
            {
                await using var exists = source.CreateCommand("select 1 from pg_database where datname = $1");
                exists.Parameters.AddWithValue(database.DatabaseName);
                if (await exists.ExecuteScalarAsync(ct) is null)
                {
                    await using var create = source.CreateCommand($"create database \"{database.DatabaseName}\"");
                    await create.ExecuteNonQueryAsync(ct);
                }

                await notifications.PublishUpdateAsync(database, static state => state with { State = KnownResourceStates.Running });
            }
        }

        private static async Task<string> ConnectionStringAsync(HostPostgresResource server, CancellationToken ct) =>
            $"{await ((IResourceWithConnectionString)server).GetConnectionStringAsync(ct)};Database=postgres;Pooling=false;Timeout=3";

        private sealed class ServerHealthCheck(HostPostgresResource server) : IHealthCheck
        {
            public async Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default)
            {
                try
                {
                    await using var connection = new NpgsqlConnection(await ConnectionStringAsync(server, cancellationToken));
                    await connection.OpenAsync(cancellationToken);
                    return HealthCheckResult.Healthy();
                }
                catch (NpgsqlException exception)
                {
                    return HealthCheckResult.Unhealthy(exception.Message);
                }
            }
        }
    }
}
