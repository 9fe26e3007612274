namespace Cube.Authorization.Schema;

/// <summary>A schema in SpiceDB's language: relations, permissions with <c>+ &amp; -</c>, arrows and wildcards. Caveats and expiration are not supported.</summary>
internal sealed record ZedSchema(string Text, IReadOnlyDictionary<string, ZedDefinition> Definitions)
{
    /// <exception cref="ZedException">The text has a syntax error or refers to an undefined name.</exception>
    public static ZedSchema Parse(string text)
    {
        var schema = new ZedSchema(text, new ZedParser(text).ParseDefinitions());
        ZedSchemaValidator.Check(schema);
        return schema;
    }

    /// <summary>Whether both schemas have the same definitions, regardless of comments, whitespace and order.</summary>
    public bool IsEquivalentTo(ZedSchema other) =>
        Definitions.Count == other.Definitions.Count
        && Definitions.Values.All(mine => other.Definitions.TryGetValue(mine.Name, out var theirs) && mine.IsEquivalentTo(theirs));
}

/// <param name="Name">The object type.</param>
/// <param name="Relations">Stored relations, by name.</param>
/// <param name="Permissions">Computed permissions, by name.</param>
internal sealed record ZedDefinition(
    string Name, IReadOnlyDictionary<string, ZedRelation> Relations, IReadOnlyDictionary<string, ZedPermission> Permissions)
{
    public bool Has(string name) => Relations.ContainsKey(name) || Permissions.ContainsKey(name);

    internal bool IsEquivalentTo(ZedDefinition other) =>
        Relations.Count == other.Relations.Count && Permissions.Count == other.Permissions.Count
        && Relations.Values.All(mine => other.Relations.TryGetValue(mine.Name, out var theirs) && mine.Subjects.ToHashSet().SetEquals(theirs.Subjects))
        && Permissions.Values.All(mine => other.Permissions.TryGetValue(mine.Name, out var theirs) && mine.Expression == theirs.Expression);
}

internal sealed record ZedRelation(string Name, IReadOnlyList<ZedSubject> Subjects);

/// <summary>A subject type that a relation allows: objects of a type, the wildcard (<c>user:*</c>) or a subject set (<c>role#member</c>).</summary>
internal sealed record ZedSubject(string Type, string? Relation = null, bool IsWildcard = false)
{
    public override string ToString() => (Relation, IsWildcard) switch
    {
        (_, true) => $"{Type}:*",
        ({ } relation, _) => $"{Type}#{relation}",
        _ => Type,
    };
}

internal sealed record ZedPermission(string Name, ZedExpression Expression);

internal abstract record ZedExpression
{
    /// <summary>The empty set.</summary>
    public sealed record Nil : ZedExpression;

    /// <summary>A relation or permission of the same object.</summary>
    public sealed record Reference(string Name) : ZedExpression;

    /// <summary>A relation or permission of the subjects of a relation: <c>relation->name</c>.</summary>
    public sealed record Arrow(string Relation, string Name) : ZedExpression;

    public sealed record Combination(ZedOperator Operator, ZedExpression Left, ZedExpression Right) : ZedExpression;
}

internal enum ZedOperator
{
    Union,
    Intersection,
    Exclusion,
}

/// <summary>A schema is invalid.</summary>
/// <param name="message">The message, with the line number of a syntax error.</param>
/// <param name="isParseError">True for a syntax error, false for a semantic error. SpiceDB answers them with different codes.</param>
internal sealed class ZedException(string message, bool isParseError) : Exception(message)
{
    public bool IsParseError => isParseError;
}
