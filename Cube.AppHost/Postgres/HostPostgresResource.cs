namespace Aspire.Hosting.ApplicationModel;

/// <summary>A PostgreSQL server that runs as a program of this host.</summary>
internal sealed class HostPostgresResource(string name, string command, string workingDirectory, string user, ParameterResource password)
    : ExecutableResource(name, command, workingDirectory), IResourceWithConnectionString
{
    public EndpointReference Endpoint => new(this, "tcp");

    public ReferenceExpression ConnectionStringExpression =>
        ReferenceExpression.Create($"Host={Endpoint.Property(EndpointProperty.Host)};Port={Endpoint.Property(EndpointProperty.Port)};Username={user};Password={password}");

    public ReferenceExpression UriOf(string database) => ReferenceExpression.Create(
        $"postgres://{user}:{password:uri}@{Endpoint.Property(EndpointProperty.Host)}:{Endpoint.Property(EndpointProperty.Port)}/{database}?sslmode=disable");
}

/// <summary>A database of the server.</summary>
internal sealed class HostPostgresDatabaseResource(string name, string database, HostPostgresResource server)
    : Resource(name), IResourceWithParent<HostPostgresResource>, IResourceWithConnectionString
{
    public string DatabaseName => database;

    public HostPostgresResource Parent => server;

    public ReferenceExpression ConnectionStringExpression => ReferenceExpression.Create($"{server};Database={database}");
}
