namespace Cube.Authorization.Schema;

/// <summary>Checks the semantics of a schema: every name is defined, and the left side of an arrow is a relation without wildcards.</summary>
internal static class ZedSchemaValidator
{
    public static void Check(ZedSchema schema)
    {
        foreach (var definition in schema.Definitions.Values)
        {
            foreach (var relation in definition.Relations.Values)
            {
                CheckRelation(schema, definition, relation);
            }

            foreach (var permission in definition.Permissions.Values)
            {
                CheckExpression(definition, permission, permission.Expression);
                CheckCycle(definition, permission.Expression, [permission.Name]);
            }
        }
    }

    private static void CheckRelation(ZedSchema schema, ZedDefinition definition, ZedRelation relation)
    {
        var seen = new HashSet<ZedSubject>();
        foreach (var subject in relation.Subjects)
        {
            if (!schema.Definitions.TryGetValue(subject.Type, out var type))
            {
                throw Error($"could not lookup definition `{subject.Type}` for relation `{relation.Name}`: object definition `{subject.Type}` not found");
            }

            if (subject.Relation is { } name && !type.Has(name))
            {
                throw Error($"relation/permission `{name}` not found under definition `{subject.Type}`");
            }

            if (subject.Relation is { } set && subject.Type != definition.Name && Wildcard(schema, subject.Type, set, []) is { } source)
            {
                throw Error(
                    $"for relation `{relation.Name}`: relation/permission `{subject}` includes wildcard type `{source.Type}` via relation `{source.Via}`: wildcard relations cannot be transitively included");
            }

            if (!seen.Add(subject))
            {
                throw Error($"found duplicate allowed subject type `{subject}` on relation `{relation.Name}` under definition `{definition.Name}`");
            }
        }
    }

    /// <summary>
    /// SpiceDB's rule: a subject set of another definition must not include a wildcard, directly or transitively. SpiceDB does not apply the rule to permissions or within one definition.
    /// </summary>
    private static (string Type, string Via)? Wildcard(ZedSchema schema, string type, string name, HashSet<(string, string)> seen)
    {
        if (!seen.Add((type, name)) || !schema.Definitions.TryGetValue(type, out var definition) || !definition.Relations.TryGetValue(name, out var relation))
        {
            return null;
        }

        foreach (var subject in relation.Subjects)
        {
            if (subject.IsWildcard)
            {
                return (subject.Type, $"{type}#{name}");
            }

            if (subject.Relation is { } next && Wildcard(schema, subject.Type, next, seen) is { } found)
            {
                return found;
            }
        }

        return null;
    }

    private static void CheckExpression(ZedDefinition definition, ZedPermission permission, ZedExpression expression)
    {
        switch (expression)
        {
            case ZedExpression.Reference { Name: var name } when !definition.Has(name):
                throw Error($"relation/permission `{name}` not found under definition `{definition.Name}`");
            case ZedExpression.Arrow { Relation: var name } when !definition.Has(name):
                throw Error($"relation/permission `{name}` not found under definition `{definition.Name}`");
            case ZedExpression.Arrow { Relation: var name } when !definition.Relations.ContainsKey(name):
                throw Error(
                    $"under permission `{permission.Name}` under definition `{definition.Name}`: permissions cannot be used on the left hand side of an arrow (found `{name}`)");
            case ZedExpression.Arrow { Relation: var name } when definition.Relations[name].Subjects.Any(static subject => subject.IsWildcard):
                throw Error(
                    $"for arrow under permission `{permission.Name}`: relation `{definition.Name}#{name}` includes a wildcard type: wildcard relations cannot be used on the left side of arrows");
            case ZedExpression.Combination { Left: var left, Right: var right }:
                CheckExpression(definition, permission, left);
                CheckExpression(definition, permission, right);
                break;
        }
    }

    /// <summary>A permission must not refer to itself. It may through an arrow, which leads to another object.</summary>
    private static void CheckCycle(ZedDefinition definition, ZedExpression expression, HashSet<string> path)
    {
        switch (expression)
        {
            case ZedExpression.Reference { Name: var name } when definition.Permissions.TryGetValue(name, out var next):
                if (!path.Add(name))
                {
                    throw Error($"under definition `{definition.Name}`, there exists a cycle in permissions: {name}");
                }

                CheckCycle(definition, next.Expression, path);
                path.Remove(name);
                break;
            case ZedExpression.Combination { Left: var left, Right: var right }:
                CheckCycle(definition, left, path);
                CheckCycle(definition, right, path);
                break;
        }
    }

    private static ZedException Error(string message) => new(message, isParseError: false);
}
