using System.Diagnostics;
using Cube.Identity.Callers;
using Dapper;
using Npgsql;

namespace Cube.Identity.Database;

/// <summary>A transaction that records its actor. Triggers write the journal events and the relationship updates of the change in the same transaction.</summary>
internal sealed class AdministrativeChange(NpgsqlConnection connection, NpgsqlTransaction transaction) : IAsyncDisposable
{
    public NpgsqlConnection Connection => connection;

    /// <summary>A commit is not cancellable, because its outcome would be unknown.</summary>
    public Task CommitAsync() => transaction.CommitAsync();

    public async ValueTask DisposeAsync()
    {
        await transaction.DisposeAsync();
        await connection.DisposeAsync();
    }
}

internal static class AdministrativeChangeExtensions
{
    public static Task<AdministrativeChange> BeginChangeAsync(this NpgsqlDataSource database, Caller caller, CancellationToken ct) =>
        database.BeginChangeAsync(caller.UserId, caller.PatId, ct);

    /// <param name="database">Identity's database.</param>
    /// <param name="actor">The acting user; null for a change that Cube makes.</param>
    /// <param name="ct">Cancels opening the transaction.</param>
    public static Task<AdministrativeChange> BeginChangeAsync(this NpgsqlDataSource database, Guid? actor, CancellationToken ct) =>
        database.BeginChangeAsync(actor, null, ct);

    private static async Task<AdministrativeChange> BeginChangeAsync(this NpgsqlDataSource database, Guid? actor, Guid? token, CancellationToken ct)
    {
        var connection = await database.OpenConnectionAsync(ct);
        try
        {
            var transaction = await connection.BeginTransactionAsync(ct);
            await connection.ExecuteAsync(new CommandDefinition(
                "select set_config('cube.actor', @actor, true), set_config('cube.token', @token, true), set_config('cube.trace', @trace, true)",
                new { actor = actor?.ToString() ?? "", token = token?.ToString() ?? "", trace = Activity.Current?.TraceId.ToString() ?? "" },
                cancellationToken: ct));
            return new AdministrativeChange(connection, transaction);
        }
        catch
        {
            await connection.DisposeAsync();
            throw;
        }
    }
}
