using System.Diagnostics;
using System.Reflection;
using Cube.ServiceDefaults.Hosting;
using Dapper;
using DbUp;
using Npgsql;

namespace Cube.Database;

/// <summary>Applies the numbered SQL scripts in a service's assembly to its database.</summary>
public static class Migrations
{
    /// <summary>The setting with the time that a service waits for its database at the start; none by default.</summary>
    public const string StartTimeoutSetting = "Database:StartTimeout";
    private static readonly TimeSpan _retryInterval = TimeSpan.FromMilliseconds(50);

    /// <param name="name">The name of the database in messages.</param>
    /// <param name="scripts">The assembly that embeds the scripts.</param>
    /// <param name="source">The data source for the lock.</param>
    /// <param name="connectionString">The connection string of the same database, for DbUp.</param>
    /// <param name="advisoryLock">The key of a PostgreSQL advisory lock that serializes the migrations of replicas.</param>
    /// <param name="startTimeout">How long to wait for a database that does not answer or does not exist yet.</param>
    /// <exception cref="SettingException">The database does not answer, or a script fails.</exception>
    public static void Run(string name, Assembly scripts, NpgsqlDataSource source, string connectionString, long advisoryLock, TimeSpan startTimeout = default)
    {
        try
        {
            Wait(source, startTimeout);
            // A session lock: PostgreSQL releases it with the connection, also when the process ends.
            using var guard = source.OpenConnection();
            guard.Execute("select pg_advisory_lock(@advisoryLock)", new { advisoryLock }, commandTimeout: 120);
            var result = DeployChanges.To
                .PostgresqlDatabase(connectionString)
                .WithScriptsEmbeddedInAssembly(scripts)
                .WithTransactionPerScript()
                .WithVariablesDisabled()
                .LogToNowhere()
                .Build()
                .PerformUpgrade();
            guard.Execute("select pg_advisory_unlock(@advisoryLock)", new { advisoryLock });
            if (!result.Successful)
            {
                throw new SettingException($"The database {name} could not be migrated at {result.ErrorScript?.Name}: {result.Error.Message}");
            }
        }
        catch (NpgsqlException exception)
        {
            throw new SettingException($"The database {name} does not answer: {exception.Message}");
        }
    }

    private static void Wait(NpgsqlDataSource source, TimeSpan timeout)
    {
        for (var clock = Stopwatch.StartNew(); ;)
        {
            try
            {
                using var connection = source.OpenConnection();
                return;
            }
            catch (NpgsqlException exception) when (clock.Elapsed < timeout && (exception is not PostgresException { SqlState: var state } || IsStarting(state)))
            {
                Thread.Sleep(_retryInterval);
            }
        }
    }

    /// <summary>The server is starting, or the AppHost has not created the database yet. Every other error of PostgreSQL is reported at once.</summary>
    private static bool IsStarting(string state) => state is PostgresErrorCodes.CannotConnectNow or PostgresErrorCodes.InvalidCatalogName;
}
