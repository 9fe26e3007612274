namespace Cube.Authorization.Relationships;

/// <summary>An object, as <c>domain:3f0e…</c>. Ids hold letters, digits and <c>/ _ | - = +</c> alone, or are <c>*</c> where a subject stands for all of its type.</summary>
internal readonly record struct ObjectRef(string Type, string Id)
{
    public override string ToString() => $"{Type}:{Id}";
}

/// <summary>An object, or with a relation everything that has it: <c>role:r#member</c>.</summary>
internal readonly record struct SubjectRef(ObjectRef Object, string Relation = "")
{
    public override string ToString() => Relation.Length == 0 ? Object.ToString() : $"{Object}#{Relation}";
}

/// <summary>One stored fact: <c>domain:d#read@role:r#member</c>.</summary>
internal readonly record struct Relationship(ObjectRef Resource, string Relation, SubjectRef Subject)
{
    public override string ToString() => $"{Resource}#{Relation}@{Subject}";
}

/// <summary>May this subject do this on this object?</summary>
internal readonly record struct Question(ObjectRef Resource, string Permission, SubjectRef Subject);

internal enum Change
{
    /// <summary>Refused where it is there already.</summary>
    Create,

    /// <summary>There afterwards, whether or not it was before.</summary>
    Touch,

    /// <summary>Gone afterwards, whether or not it was there before.</summary>
    Delete,
}

internal readonly record struct RelationshipUpdate(Change Change, Relationship Relationship);

/// <summary>Relationships that have all of these; what is null does not matter.</summary>
/// <param name="SubjectRelation">Empty for subjects without one.</param>
internal sealed record RelationshipFilter(
    string? ResourceType = null, string? ResourceId = null, string? Relation = null,
    string? SubjectType = null, string? SubjectId = null, string? SubjectRelation = null);
