using System.Text.RegularExpressions;
using Cube.Authorization.Relationships;
using Cube.Authorization.Schema;

namespace Cube.Authorization.Engine;

/// <summary>Validates relationships before they are stored, by SpiceDB's rules.</summary>
internal static partial class RelationshipValidator
{
    /// <summary>The limit of one write; SpiceDB's default.</summary>
    public const int MaxUpdates = 1000;

    private const int MaxId = 1024;

    /// <exception cref="EngineException">An update is malformed, not allowed by the schema, or a duplicate.</exception>
    public static void Check(ZedSchema schema, IReadOnlyCollection<RelationshipUpdate> updates)
    {
        if (updates.Count > MaxUpdates)
        {
            throw EngineException.Invalid($"update count of {updates.Count} is greater than maximum allowed of {MaxUpdates}");
        }

        var seen = new HashSet<Relationship>();
        foreach (var (_, relationship) in updates)
        {
            CheckForm(relationship);
            if (!seen.Add(relationship))
            {
                throw EngineException.Invalid(
                    $"found more than one update with relationship `{relationship}` in this request; a relationship can only be specified in an update once per overall WriteRelationships request");
            }

            Check(schema, relationship);
        }
    }

    private static void Check(ZedSchema schema, Relationship relationship)
    {
        var (resource, relation, subject) = relationship;
        var definition = PermissionEvaluator.Require(schema, resource.Type, relation);
        if (!schema.Definitions.TryGetValue(subject.Object.Type, out var type))
        {
            throw EngineException.UnknownDefinition(subject.Object.Type);
        }

        if (subject.Relation.Length > 0 && !type.Has(subject.Relation))
        {
            throw EngineException.UnknownRelation(subject.Relation, subject.Object.Type);
        }

        if (!definition.Relations.TryGetValue(relation, out var allowed))
        {
            throw EngineException.Invalid($"cannot write a relationship to permission `{relation}` under definition `{resource.Type}`");
        }

        var kind = KindOf(subject);
        if (!allowed.Subjects.Contains(kind))
        {
            throw EngineException.Invalid($"subjects of type `{kind}` are not allowed on relation `{resource.Type}#{relation}`");
        }
    }

    public static ZedSubject KindOf(SubjectRef subject) => subject.Object.Id == "*"
        ? new ZedSubject(subject.Object.Type, IsWildcard: true)
        : new ZedSubject(subject.Object.Type, subject.Relation.Length == 0 ? null : subject.Relation);

    public static void CheckForm(ObjectRef reference)
    {
        if (!TypeName().IsMatch(reference.Type))
        {
            throw EngineException.Invalid("invalid ObjectReference.ObjectType: value does not match the pattern of a definition's name");
        }

        if (reference.Id.Length is 0 or > MaxId || !ObjectId().IsMatch(reference.Id))
        {
            throw EngineException.Invalid("invalid ObjectReference.ObjectId: value does not match regex pattern \"^(([a-zA-Z0-9/_|\\-=+]{1,})|\\*)$\"");
        }
    }

    public static void CheckName(string name, string what)
    {
        if (!RelationName().IsMatch(name))
        {
            throw EngineException.Invalid($"invalid {what}: value does not match regex pattern \"^[a-z][a-z0-9_]{{1,62}}[a-z0-9]$\"");
        }
    }

    private static void CheckForm(Relationship relationship)
    {
        CheckForm(relationship.Resource);
        CheckName(relationship.Relation, "Relationship.Relation");
        CheckForm(relationship.Subject.Object);
        if (relationship.Resource.Id == "*")
        {
            throw EngineException.Invalid("invalid ObjectReference.ObjectId: alphanumeric value is required");
        }

        if (relationship.Subject.Relation.Length > 0)
        {
            CheckName(relationship.Subject.Relation, "SubjectReference.OptionalRelation");
        }
    }

    [GeneratedRegex(@"^([a-z][a-z0-9_]{1,61}[a-z0-9]/)*[a-z][a-z0-9_]{1,62}[a-z0-9]\z")]
    private static partial Regex TypeName();

    [GeneratedRegex(@"^[a-z][a-z0-9_]{1,62}[a-z0-9]\z")]
    private static partial Regex RelationName();

    [GeneratedRegex(@"^([a-zA-Z0-9/_|\-=+]+|\*)\z")]
    private static partial Regex ObjectId();
}
