using Cube.Authorization.Relationships;
using Dapper;
using Npgsql;

namespace Cube.Authorization.Engine;

/// <summary>Reads the relationships of one store in the snapshot of the connection's transaction.</summary>
internal sealed class RelationshipReader(NpgsqlConnection connection, short store)
{
    /// <returns>Whether the subject has the relation directly, and the subject sets that have it.</returns>
    public async Task<(bool Direct, List<SubjectRef> Sets)> FindAsync(ObjectRef resource, string relation, SubjectRef subject, CancellationToken ct)
    {
        var rows = await connection.QueryAsync<(string Type, string Id, string Relation)>(new CommandDefinition(
            """
            select subject_type, subject_id, subject_relation from relation_tuples
            where store = @store and object_type = @Type and object_id = @Id and relation = @relation
              and (subject_relation <> '' or (@plain and subject_type = @SubjectType and subject_id in (@SubjectId, '*')))
            """,
            new
            {
                store, resource.Type, resource.Id, relation,
                plain = subject.Relation.Length == 0, SubjectType = subject.Object.Type, SubjectId = subject.Object.Id,
            },
            cancellationToken: ct));
        var (direct, sets) = (false, new List<SubjectRef>());
        foreach (var row in rows)
        {
            if (row.Relation.Length == 0)
            {
                direct = true;
            }
            else
            {
                sets.Add(new SubjectRef(new ObjectRef(row.Type, row.Id), row.Relation));
            }
        }

        return (direct, sets);
    }

    /// <returns>The objects that are subjects of the relation.</returns>
    public async Task<IReadOnlyList<ObjectRef>> SubjectsAsync(ObjectRef resource, string relation, CancellationToken ct) =>
        (await connection.QueryAsync<(string Type, string Id)>(new CommandDefinition(
            """
            select distinct subject_type, subject_id from relation_tuples
            where store = @store and object_type = @Type and object_id = @Id and relation = @relation
            """,
            new { store, resource.Type, resource.Id, relation },
            cancellationToken: ct))).Select(static row => new ObjectRef(row.Type, row.Id)).AsList();
}
