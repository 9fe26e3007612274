namespace Cube.Authorization.Schema;

/// <summary>A schema in SpiceDB's language: relations, permissions with <c>+ &amp; -</c>, arrows and wildcards. Caveats and expiry are no part of it.</summary>
internal sealed record ZedSchema(string Text, IReadOnlyDictionary<string, ZedDefinition> Definitions)
{
    /// <exception cref="ZedException">The text is not of the language, or names what it does not define.</exception>
    public static ZedSchema Parse(string text)
    {
        var schema = new ZedSchema(text, new ZedParser(text).ParseDefinitions());
        ZedRules.Check(schema);
        return schema;
    }

    /// <summary>Whether two texts say the same, whatever their comments, spaces and order.</summary>
    public bool SaysTheSameAs(ZedSchema other) =>
        Definitions.Count == other.Definitions.Count
        && Definitions.Values.All(mine => other.Definitions.TryGetValue(mine.Name, out var theirs) && mine.SaysTheSameAs(theirs));
}

/// <param name="Name">The object type.</param>
/// <param name="Relations">What is written.</param>
/// <param name="Permissions">What is computed.</param>
internal sealed record ZedDefinition(
    string Name, IReadOnlyDictionary<string, ZedRelation> Relations, IReadOnlyDictionary<string, ZedPermission> Permissions)
{
    public bool Has(string name) => Relations.ContainsKey(name) || Permissions.ContainsKey(name);

    internal bool SaysTheSameAs(ZedDefinition other) =>
        Relations.Count == other.Relations.Count && Permissions.Count == other.Permissions.Count
        && Relations.Values.All(mine => other.Relations.TryGetValue(mine.Name, out var theirs) && mine.Subjects.ToHashSet().SetEquals(theirs.Subjects))
        && Permissions.Values.All(mine => other.Permissions.TryGetValue(mine.Name, out var theirs) && mine.Expression == theirs.Expression);
}

internal sealed record ZedRelation(string Name, IReadOnlyList<ZedSubject> Subjects);

/// <summary>A kind of subject that a relation takes: objects of a type, all of them at once (<c>user:*</c>), or a set (<c>role#member</c>).</summary>
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
    /// <summary>Nobody.</summary>
    public sealed record Nil : ZedExpression;

    /// <summary>A relation or permission of the same object.</summary>
    public sealed record Reference(string Name) : ZedExpression;

    /// <summary>A relation or permission of the objects that a relation leads to.</summary>
    public sealed record Arrow(string Relation, string Name) : ZedExpression;

    public sealed record Combination(ZedOperator Operator, ZedExpression Left, ZedExpression Right) : ZedExpression;
}

internal enum ZedOperator
{
    Union,
    Intersection,
    Exclusion,
}

/// <summary>What is wrong with a schema.</summary>
/// <param name="message">For people, with the line where it is known.</param>
/// <param name="isParseError">True where the text is not of the language, false where it contradicts itself: SpiceDB answers with different codes.</param>
internal sealed class ZedException(string message, bool isParseError) : Exception(message)
{
    public bool IsParseError => isParseError;
}
