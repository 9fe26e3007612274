using System.Reflection;
using Cube.ServiceDefaults.Hosting;
using Dapper;
using DbUp;
using Npgsql;

namespace Cube.Database;

/// <summary>Brings a service's database up to date with the numbered scripts in its assembly.</summary>
public static class Migrations
{
    /// <param name="name">Of the database, for messages.</param>
    /// <param name="scripts">Where the scripts are embedded.</param>
    /// <param name="source">Connections to it.</param>
    /// <param name="connectionString">The same, for the runner.</param>
    /// <param name="advisoryLock">A number of the service's own: replicas that start together migrate one after the other.</param>
    /// <exception cref="SettingException">The database cannot be reached or brought up to date.</exception>
    public static void Run(string name, Assembly scripts, NpgsqlDataSource source, string connectionString, long advisoryLock)
    {
        try
        {
            // The lock is the session's: it goes with the connection, whatever happens in between.
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
}
