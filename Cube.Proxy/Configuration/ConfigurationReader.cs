using System.Data;
using System.Text;
using Cube.Attestation.Policy;
using Cube.Proxy.Configuration.Catalogs;
using Cube.Proxy.Configuration.Policies;
using Cube.Proxy.Configuration.Routes;
using Cube.Proxy.Database;
using Dapper;
using Npgsql;

namespace Cube.Proxy.Configuration;

/// <summary>
/// Reads the active configuration from the database. Each read compares one digest of all row versions. If the digest has changed, the reader transfers and parses only the changed rows. A row
/// that the reader cannot load is reported, and does not prevent the other rows from being loaded.
/// </summary>
internal sealed class ConfigurationReader(ProxyDatabase database, bool allowSimulated)
{
    private const string PolicyKind = "policy";
    private const string RouteKind = "route";
    private const string CatalogKind = "catalogue";

    /// <summary>The version of a row includes <c>xmin</c>, which changes with each update, even one that does not set <c>revision</c>.</summary>
    private const string Versions =
        """
        select 'policy' as kind, scope as key, concat(version, '#', xmin) as version from attestation_policies where is_active
        union all select 'route', id::text, concat(revision, '#', xmin) from routes
        union all select 'catalogue', domain::text, concat(revision, '#', xmin) from model_catalogues
        """;

    private const string Digest = $"select coalesce(md5(string_agg(concat(kind, ' ', key, ' ', version), E'\n' order by kind, key)), '') from ({Versions}) versions";

    private readonly Dictionary<(string Kind, string Key), (string Version, object Loaded)> _loaded = [];
    private string? _digest;

    private sealed record RowVersion(string Kind, string Key, string Version);

    private sealed record PolicyRow(string Scope, int Version, string? Policy);

    /// <returns>Null if nothing has changed since the last read.</returns>
    public async Task<StoredConfiguration?> ReadAsync(CancellationToken ct)
    {
        await using var connection = await database.Source.OpenConnectionAsync(ct);
        if (_digest is not null && await ReadDigestAsync(connection, null, ct) == _digest)
        {
            return null;
        }

        await using var transaction = await connection.BeginTransactionAsync(IsolationLevel.RepeatableRead, ct);
        var digest = await ReadDigestAsync(connection, transaction, ct);
        var versions = (await connection.QueryAsync<RowVersion>(new CommandDefinition($"select kind, key, version from ({Versions}) versions", transaction: transaction, cancellationToken: ct)))
            .ToDictionary(static row => (row.Kind, row.Key), static row => row.Version);
        await LoadChangedAsync(connection, transaction, versions, ct);
        foreach (var deleted in _loaded.Keys.Except(versions.Keys).ToList())
        {
            _loaded.Remove(deleted);
        }

        _digest = digest;
        return CreateConfiguration();
    }

    private async Task LoadChangedAsync(NpgsqlConnection connection, NpgsqlTransaction transaction, Dictionary<(string Kind, string Key), string> versions, CancellationToken ct)
    {
        var changed = versions.Where(row => !_loaded.TryGetValue(row.Key, out var loaded) || loaded.Version != row.Value).ToLookup(static row => row.Key.Kind, static row => row.Key.Key);
        foreach (var row in await ReadPoliciesAsync(connection, transaction, [.. changed[PolicyKind]], ct))
        {
            Load(PolicyKind, row.Scope, row.Scope, () => ParsePolicy(row));
        }

        foreach (var row in await RouteStore.ReadAsync(connection, transaction, [.. changed[RouteKind].Select(Guid.Parse)], ct))
        {
            Load(RouteKind, $"{row.Id}", row.Name, () => new Route(row.Id, row.Revision, RouteJson.ReadStored(row.Definition)), () => Route.CreateClosed(row.Id, row.Revision, row.Definition));
        }

        foreach (var row in await CatalogStore.ReadAsync(connection, transaction, [.. changed[CatalogKind].Select(Guid.Parse)], ct))
        {
            Load(CatalogKind, $"{row.Domain}", $"{row.Domain}", () => new Catalog(row.Domain, row.Revision, CatalogJson.ReadStored(row.Models)));
        }

        void Load(string kind, string key, string name, Func<object> parse, Func<Route?>? createClosed = null)
        {
            var version = versions[(kind, key)];
            _loaded[(kind, key)] = (version, ParseOrReport(kind, name, version, parse, createClosed));
        }
    }

    private StoredConfiguration CreateConfiguration()
    {
        var all = _loaded.Values.Select(static row => row.Loaded).ToList();
        return new StoredConfiguration(
            [.. all.OfType<NamedPolicy>()], [.. all.OfType<Route>(), .. all.OfType<ClosedRoute>().Select(static closed => closed.Route)], [.. all.OfType<Catalog>()],
            [.. all.OfType<UnreadableRow>(), .. all.OfType<ClosedRoute>().Select(static closed => closed.Report)]);
    }

    private static object ParseOrReport(string kind, string name, string version, Func<object> parse, Func<Route?>? createClosed)
    {
        string problem;
        try
        {
            return parse();
        }
        catch (Exception exception) when (exception is PolicyException or RouteException or CatalogException)
        {
            problem = exception.Message;
        }
#pragma warning disable CA1031 // One stored row that causes an unexpected exception must not stop the proxy.
        catch (Exception exception)
#pragma warning restore CA1031
        {
            problem = $"The proxy cannot read the row ({exception.GetType().Name}).";
        }

        var report = new UnreadableRow(kind, name, version, problem);
        return createClosed?.Invoke() is { } route ? new ClosedRoute(route, report) : report;
    }

    private NamedPolicy ParsePolicy(PolicyRow row)
    {
        if (row.Scope != PolicyScope.Platform && PolicyScope.FindDomain(row.Scope) is null && PolicyScope.FindRoute(row.Scope) is null)
        {
            throw new PolicyException("The scope must be the platform, a domain or a route.");
        }

        return new NamedPolicy(row.Scope, row.Version, PolicyStore.Parse(row.Policy, allowSimulated));
    }

    private static Task<string?> ReadDigestAsync(NpgsqlConnection connection, NpgsqlTransaction? transaction, CancellationToken ct) =>
        connection.ExecuteScalarAsync<string>(new CommandDefinition(Digest, transaction: transaction, cancellationToken: ct));

    private static Task<IEnumerable<PolicyRow>> ReadPoliciesAsync(NpgsqlConnection connection, NpgsqlTransaction transaction, string[] scopes, CancellationToken ct) =>
        connection.QueryAsync<PolicyRow>(new CommandDefinition(
            $"select scope, version, {PolicyStore.PolicyColumn} as policy from attestation_policies where is_active and scope = any(@scopes)", new { scopes }, transaction, cancellationToken: ct));

    /// <summary>A route that the proxy cannot load. It still matches requests, and the proxy rejects them.</summary>
    private sealed record ClosedRoute(Route Route, UnreadableRow Report);
}
