namespace Cube.Authorization.Relationships;

/// <summary>An object such as <c>domain:3f0e…</c>. An id consists of letters, digits and <c>/ _ | - = +</c>. As a subject, the id <c>*</c> means every object of the type.</summary>
internal readonly record struct ObjectRef(string Type, string Id)
{
    public override string ToString() => $"{Type}:{Id}";
}

/// <summary>An object, or with a relation the set of subjects that have this relation to it: <c>role:r#member</c>.</summary>
internal readonly record struct SubjectRef(ObjectRef Object, string Relation = "")
{
    public override string ToString() => Relation.Length == 0 ? Object.ToString() : $"{Object}#{Relation}";
}

/// <summary>One stored relationship: <c>domain:d#read@role:r#member</c>.</summary>
internal readonly record struct Relationship(ObjectRef Resource, string Relation, SubjectRef Subject)
{
    public override string ToString() => $"{Resource}#{Relation}@{Subject}";
}

/// <summary>The question whether a subject has a permission on a resource.</summary>
internal readonly record struct PermissionCheck(ObjectRef Resource, string Permission, SubjectRef Subject);

internal enum UpdateOperation
{
    /// <summary>Fails when the relationship exists.</summary>
    Create,

    /// <summary>Creates the relationship unless it exists.</summary>
    Touch,

    /// <summary>Deletes the relationship if it exists.</summary>
    Delete,
}

internal readonly record struct RelationshipUpdate(UpdateOperation Operation, Relationship Relationship);

/// <summary>Matches relationships that have all of the given values. Null matches any value.</summary>
/// <param name="SubjectRelation">Empty for subjects without a relation.</param>
internal sealed record RelationshipFilter(
    string? ResourceType = null, string? ResourceId = null, string? Relation = null,
    string? SubjectType = null, string? SubjectId = null, string? SubjectRelation = null);
