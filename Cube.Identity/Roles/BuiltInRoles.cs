using Cube.Authorization;
using Cube.Identity.Database;
using Dapper;
using Npgsql;

namespace Cube.Identity.Roles;

/// <summary>The roles that every domain has. The running version of Cube defines their actions; they cannot be changed.</summary>
internal sealed class BuiltInRoles(NpgsqlDataSource database)
{
    /// <summary>Manages the domain. Has every action.</summary>
    public const string Admin = "admin";

    /// <summary>Uses the domain's models.</summary>
    public const string Member = "member";

    /// <summary>Reads the domain's audit log.</summary>
    public const string Auditor = "auditor";

    public static IReadOnlyDictionary<string, IReadOnlyList<string>> Actions { get; } = new Dictionary<string, IReadOnlyList<string>>
    {
        [Admin] = CubeSchema.Actions,
        [Member] =
        [
            "read", "llm_read", "llm_chat_completions", "llm_completions", "llm_embeddings", "llm_transcription", "llm_translation",
            "llm_utility", "llm_pooling", "llm_classification", "llm_scoring", "llm_rerank",
        ],
        [Auditor] = ["read", "audit_log_read", "audit_log_export"],
    };

    public static Task AddActionsAsync(NpgsqlConnection connection, Guid domainId, string roleId, IEnumerable<string> actions) => connection.ExecuteAsync(
        "insert into role_actions (domain_id, role_id, action) select @domainId, @roleId, action from unnest(@actions) action on conflict do nothing",
        new { domainId, roleId, actions = actions.ToArray() });

    /// <summary>Updates the built-in roles of all domains to the actions of this version, and removes actions that no longer exist from every role.</summary>
    public async Task UpdateAsync(CancellationToken ct)
    {
        await using var change = await database.BeginChangeAsync(actor: null, ct);
        foreach (var (name, actions) in Actions)
        {
            await change.Connection.ExecuteAsync(new CommandDefinition(
                """
                insert into role_actions (domain_id, role_id, action)
                select r.domain_id, r.id, a from roles r, unnest(@actions) a where r.built_in and r.name = @name on conflict do nothing
                """,
                new { name, actions = actions.ToArray() },
                cancellationToken: ct));
            await change.Connection.ExecuteAsync(new CommandDefinition(
                "delete from role_actions using roles r where r.id = role_id and r.built_in and r.name = @name and not action = any(@actions)",
                new { name, actions = actions.ToArray() },
                cancellationToken: ct));
        }

        await change.Connection.ExecuteAsync(new CommandDefinition(
            "delete from role_actions where not action = any(@known)", new { known = CubeSchema.Actions.ToArray() }, cancellationToken: ct));
        await change.CommitAsync();
    }
}
