using System.Diagnostics;
using Cube.Identity.Authentication;
using Dapper;
using Npgsql;

namespace Cube.Identity.Database;

/// <summary>A transaction that says who makes the change. What it changes becomes events and relationships with it, or not at all.</summary>
internal sealed class AdministrativeChange(NpgsqlConnection connection, NpgsqlTransaction transaction) : IAsyncDisposable
{
    public NpgsqlConnection Connection => connection;

    /// <summary>Cancellation does not reach a commit: whether it was carried out would not be known.</summary>
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
    /// <param name="actor">Null where Cube itself acts.</param>
    /// <param name="ct">Ends the beginning.</param>
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
