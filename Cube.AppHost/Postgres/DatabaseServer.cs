using Cube.AppHost.Hosting;
using Cube.AppHost.Settings;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Npgsql;

namespace Cube.AppHost.Postgres;

/// <summary>The PostgreSQL server: configured, a container, or a program of this host, which is downloaded if necessary.</summary>
internal abstract class DatabaseServer
{
    private const string ServerName = "postgres";

    /// <summary>Description for the start message.</summary>
    public abstract string Description { get; }

    /// <summary>Whether the AppHost starts the server, so that it may not answer yet when the services start.</summary>
    public virtual bool IsStarted => true;

    /// <param name="name">Name of the database. The resource is named <c>{name}-db</c>, because the service has the plain name.</param>
    public abstract IResourceBuilder<IResourceWithConnectionString> AddDatabase(string name);

    /// <summary>Returns the address of a database as a postgres:// URI.</summary>
    /// <param name="name">Name of the database.</param>
    /// <returns>Null if there is no such database.</returns>
    public abstract ReferenceExpression? UriOf(string name);

    /// <summary>
    /// Returns a connection string to the database <c>proxy</c> for a role that can only connect, and therefore send notifications.
    /// </summary>
    public abstract ReferenceExpression AddNotifier();

    private const string ProxyDatabase = "proxy";
    private const string NotifierRole = "cube_notify";

    private static string ResourceName(string database) => $"{database}-db";

    /// <summary>Selects the first available: a configured address, a container, a program of this host, downloaded binaries.</summary>
    public static async Task<DatabaseServer> AddAsync(CubeBuilder cube)
    {
        var builder = cube.Builder;
        if (builder.Configuration.GetSection("ConnectionStrings:identity").Value is { Length: > 0 } given)
        {
            return new Configured(builder, given);
        }

        var password = builder.AddParameter("postgres-password", cube.Secret("postgres-password"), secret: true)
            .WithDescription("Password of the PostgreSQL server that Cube starts.");
        if (builder.ExecutionContext.IsPublishMode || await cube.HasContainersAsync())
        {
            return new Container(cube, builder.AddPostgres(ServerName, password: password).WithDataVolume(cube.VolumeName(ServerName)));
        }

        var host = await HostPostgres.PrepareAsync(cube.Data, (await password.Resource.GetValueAsync(default))!, Console.Out);
        return new Host(cube, host, password);
    }

    /// <summary>Databases without a connection string are expected on the same server, under their names.</summary>
    private sealed class Configured(IDistributedApplicationBuilder builder, string identity) : DatabaseServer
    {
        public override string Description => "as configured";

        public override bool IsStarted => false;

        public override IResourceBuilder<IResourceWithConnectionString> AddDatabase(string name)
        {
            var given = builder.AddParameter($"{name}-connection", () => Connection(name), secret: true);
            return builder.AddConnectionString(ResourceName(name), ReferenceExpression.Create($"{given}"));
        }

        public override ReferenceExpression? UriOf(string name)
        {
            if (builder.Configuration[$"ConnectionStrings:{name}"] is not { Length: > 0 } connection)
            {
                return null;
            }

            var parts = new NpgsqlConnectionStringBuilder(connection);
            var mode = parts.SslMode switch { SslMode.Disable => "disable", SslMode.VerifyCA => "verify-ca", SslMode.VerifyFull => "verify-full", SslMode.Require => "require", _ => "prefer" };
            var uri = $"postgres://{Uri.EscapeDataString(parts.Username ?? "")}:{Uri.EscapeDataString(parts.Password ?? "")}@{parts.Host}:{parts.Port}/{parts.Database}?sslmode={mode}";
            return ReferenceExpression.Create($"{builder.AddParameter($"{name}-uri", () => uri, secret: true)}");
        }

        public override ReferenceExpression AddNotifier() => ReferenceExpression.Create(
            $"{builder.AddParameter("notify-connection", () => builder.Configuration["ConnectionStrings:notify"] is { Length: > 0 } given ? given : Connection(ProxyDatabase), secret: true)}");

        private string Connection(string name) => builder.Configuration[$"ConnectionStrings:{name}"] is { Length: > 0 } given
            ? given
            : new NpgsqlConnectionStringBuilder(identity) { Database = name }.ConnectionString;
    }

    private sealed class Container(CubeBuilder cube, IResourceBuilder<PostgresServerResource> server) : DatabaseServer
    {
        public override string Description => "container";

        public override IResourceBuilder<IResourceWithConnectionString> AddDatabase(string name) => server.AddDatabase(ResourceName(name), name);

        public override ReferenceExpression UriOf(string name) => ReferenceExpression.Create($"{server.Resource.UriExpression}/{name}?sslmode=disable");

        public override ReferenceExpression AddNotifier()
        {
            // In a deployment, the operator creates the role (docs/operations.md).
            if (cube.Builder.ExecutionContext.IsPublishMode)
            {
                return ReferenceExpression.Create($"{cube.Builder.AddParameter("notify-connection", secret: true)}");
            }

            var password = NotifierPassword(cube);
            server.OnResourceReady(async (ready, _, ct) => await CreateNotifierAsync(
                $"{await ready.ConnectionStringExpression.GetValueAsync(ct)};Database=postgres;Pooling=false", (await password.Resource.GetValueAsync(ct))!, ct));
            var endpoint = server.Resource.PrimaryEndpoint;
            return ReferenceExpression.Create(
                $"Host={endpoint.Property(EndpointProperty.Host)};Port={endpoint.Property(EndpointProperty.Port)};Username={NotifierRole};Password={password};Database={ProxyDatabase}");
        }
    }

    private static IResourceBuilder<ParameterResource> NotifierPassword(CubeBuilder cube) =>
        cube.Builder.AddParameter("notify-password", cube.Secret("notify-password"), secret: true).WithDescription("Password of the database role that Identity uses to notify the proxies.");

    private static async Task CreateNotifierAsync(string connectionString, string password, CancellationToken ct)
    {
        await using var source = NpgsqlDataSource.Create(connectionString);
        await using var exists = source.CreateCommand("select 1 from pg_roles where rolname = $1");
        exists.Parameters.AddWithValue(NotifierRole);
        var verb = await exists.ExecuteScalarAsync(ct) is null ? "create" : "alter";
        // CREATE ROLE accepts no parameters, so that the password is quoted here.
        await using var make = source.CreateCommand($"{verb} role {NotifierRole} login password '{password.Replace("'", "''", StringComparison.Ordinal)}'");
        await make.ExecuteNonQueryAsync(ct);
    }

    private sealed class Host : DatabaseServer
    {
        private readonly CubeBuilder _cube;
        private readonly IResourceBuilder<HostPostgresResource> _server;
        private readonly List<HostPostgresDatabaseResource> _databases = [];
        private ParameterResource? _notifier;

        public Host(CubeBuilder cube, HostPostgres host, IResourceBuilder<ParameterResource> password)
        {
            var builder = cube.Builder;
            _cube = cube;
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
            // Not when Aspire has found the server healthy, which is up to a second later.
            _server.OnBeforeResourceStarted((starting, happened, ct) =>
            {
                _ = CreateDatabasesWhenStartedAsync(starting, happened.Services.GetRequiredService<ResourceNotificationService>(), ct);
                return Task.CompletedTask;
            });

            static string cubeDirectory(HostPostgres host) => Path.GetDirectoryName(host.Cluster)!;
        }

        public override string Description { get; }

        public override IResourceBuilder<IResourceWithConnectionString> AddDatabase(string name)
        {
            var database = new HostPostgresDatabaseResource(ResourceName(name), name, _server.Resource);
            _databases.Add(database);
            return _cube.Builder.AddResource(database)
                .WithInitialState(new CustomResourceSnapshot { ResourceType = "PostgresDatabase", Properties = [], State = KnownResourceStates.Waiting })
                .ExcludeFromManifest();
        }

        public override ReferenceExpression UriOf(string name) => _server.Resource.UriOf(name);

        public override ReferenceExpression AddNotifier()
        {
            _notifier = NotifierPassword(_cube).Resource;
            var endpoint = _server.Resource.Endpoint;
            return ReferenceExpression.Create(
                $"Host={endpoint.Property(EndpointProperty.Host)};Port={endpoint.Property(EndpointProperty.Port)};Username={NotifierRole};Password={_notifier};Database={ProxyDatabase}");
        }

        private async Task CreateDatabasesWhenStartedAsync(HostPostgresResource server, ResourceNotificationService notifications, CancellationToken ct)
        {
            while (!ct.IsCancellationRequested)
            {
                try
                {
                    await CreateDatabasesAsync(server, notifications, ct);
                    return;
                }
                catch (NpgsqlException exception) when (exception is not PostgresException { SqlState: not PostgresErrorCodes.CannotConnectNow })
                {
                    // The server does not accept connections yet. If it never does, Readiness reports the failure.
                    await Task.Delay(50, ct).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
                }
                catch (Exception exception) when (exception is PostgresException or InvalidOperationException)
                {
                    await Console.Error.WriteLineAsync($"cube: PostgreSQL cannot create the databases: {exception.Message}");
                    return;
                }
            }
        }

        private async Task CreateDatabasesAsync(HostPostgresResource server, ResourceNotificationService notifications, CancellationToken ct)
        {
            if (_notifier is not null)
            {
                await CreateNotifierAsync(await ConnectionStringAsync(server, ct), (await _notifier.GetValueAsync(ct))!, ct);
            }

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
