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
/// Reads what is in force. The database answers each time with one digest of all rows; only where it has changed are rows transferred, and of those only the changed ones are parsed.
/// A row that cannot be loaded is reported and does not keep the others from being loaded.
/// </summary>
internal sealed class ConfigurationReader(ProxyDatabase database, bool allowSimulated)
{
    /// <summary><c>xmin</c> changes with every update of a row, whoever made it.</summary>
    private const string Marks =
        """
        select 'policy' as kind, scope as key, concat(version, '#', xmin) as mark from attestation_policies where is_active
        union all select 'route', id::text, concat(revision, '#', xmin) from routes
        union all select 'catalogue', domain::text, concat(revision, '#', xmin) from model_catalogues
        """;

    private const string Digest = $"select coalesce(md5(string_agg(concat(kind, ' ', key, ' ', mark), E'\n' order by kind, key)), '') from ({Marks}) marks";

    private readonly Dictionary<(string Kind, string Key), (string Mark, object Loaded)> _loaded = [];
    private string? _digest;

    private sealed record Mark(string Kind, string Key, string Value);

    private sealed record PolicyRow(string Scope, int Version, string? Policy);

    /// <returns>Null where nothing has changed since the last time.</returns>
    public async Task<StoredConfiguration?> ReadAsync(CancellationToken ct)
    {
        await using var connection = await database.Source.OpenConnectionAsync(ct);
        if (_digest is not null && await DigestAsync(connection, null, ct) == _digest)
        {
            return null;
        }

        await using var transaction = await connection.BeginTransactionAsync(IsolationLevel.RepeatableRead, ct);
        var digest = await DigestAsync(connection, transaction, ct);
        var marks = (await connection.QueryAsync<Mark>(new CommandDefinition($"select kind, key, mark as value from ({Marks}) marks", transaction: transaction, cancellationToken: ct))).ToList();
        var changed = marks.Where(mark => !_loaded.TryGetValue((mark.Kind, mark.Key), out var known) || known.Mark != mark.Value).ToLookup(static mark => mark.Kind);
        var values = changed.SelectMany(static kind => kind).ToDictionary(static mark => (mark.Kind, mark.Key), static mark => mark.Value);
        foreach (var row in await PoliciesAsync(connection, transaction, [.. changed["policy"].Select(static mark => mark.Key)], ct))
        {
            Keep("policy", row.Scope, row.Scope, () => Load(row));
        }

        foreach (var row in await RouteStore.RunningAsync(connection, transaction, [.. changed["route"].Select(static mark => Guid.Parse(mark.Key))], ct))
        {
            Keep("route", $"{row.Id}", row.Name, () => new Route(row.Id, row.Revision, RouteJson.ReadStored(row.Definition)), () => Route.Closed(row.Id, row.Revision, row.Definition));
        }

        foreach (var row in await CatalogStore.RunningAsync(connection, transaction, [.. changed["catalogue"].Select(static mark => Guid.Parse(mark.Key))], ct))
        {
            Keep("catalogue", $"{row.Domain}", $"{row.Domain}", () => new Catalog(row.Domain, row.Revision, CatalogJson.ReadStored(row.Models)));
        }

        foreach (var gone in _loaded.Keys.Except(marks.Select(static mark => (mark.Kind, mark.Key))).ToList())
        {
            _loaded.Remove(gone);
        }

        _digest = digest;
        return State();

        void Keep(string kind, string key, string name, Func<object> load, Func<Route?>? instead = null) => _loaded[(kind, key)] = (values[(kind, key)], LoadOrReport(kind, name, values[(kind, key)], load, instead));
    }

    private StoredConfiguration State()
    {
        var all = _loaded.Values.Select(static row => row.Loaded).ToList();
        return new StoredConfiguration(
            [.. all.OfType<NamedPolicy>()], [.. all.OfType<Route>(), .. all.OfType<ClosedRoute>().Select(static closed => closed.Route)], [.. all.OfType<Catalog>()],
            [.. all.OfType<Unreadable>(), .. all.OfType<ClosedRoute>().Select(static closed => closed.Report)]);
    }

    private static object LoadOrReport(string kind, string name, string mark, Func<object> load, Func<Route?>? instead)
    {
        string problem;
        try
        {
            return load();
        }
        catch (Exception exception) when (exception is PolicyException or RouteException or CatalogException)
        {
            problem = exception.Message;
        }
#pragma warning disable CA1031 // Whatever a reader did not foresee in one stored row must not stop the proxy for all others.
        catch (Exception exception)
#pragma warning restore CA1031
        {
            problem = $"It cannot be read ({exception.GetType().Name}).";
        }

        var report = new Unreadable(kind, name, mark, problem);
        return instead?.Invoke() is { } route ? new ClosedRoute(route, report) : report;
    }

    private NamedPolicy Load(PolicyRow row)
    {
        if (row.Scope != PolicyScope.Platform && PolicyScope.FindDomain(row.Scope) is null && PolicyScope.FindRoute(row.Scope) is null)
        {
            throw new PolicyException("Its scope is neither the platform, a domain nor a route.");
        }

        return new NamedPolicy(row.Scope, row.Version, PolicyStore.Load(row.Policy, allowSimulated));
    }

    private static Task<string?> DigestAsync(NpgsqlConnection connection, NpgsqlTransaction? transaction, CancellationToken ct) =>
        connection.ExecuteScalarAsync<string>(new CommandDefinition(Digest, transaction: transaction, cancellationToken: ct));

    private static Task<IEnumerable<PolicyRow>> PoliciesAsync(NpgsqlConnection connection, NpgsqlTransaction transaction, string[] scopes, CancellationToken ct) =>
        connection.QueryAsync<PolicyRow>(new CommandDefinition(
            $"select scope, version, {PolicyStore.Text} as policy from attestation_policies where is_active and scope = any(@scopes)", new { scopes }, transaction, cancellationToken: ct));

    /// <summary>A route that cannot be loaded, and still takes the requests that it is for.</summary>
    private sealed record ClosedRoute(Route Route, Unreadable Report);
}
