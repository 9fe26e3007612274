using Cube.Authorization.Relationships;
using Cube.Authorization.Schema;

namespace Cube.Authorization.Engine;

/// <summary>
/// Evaluates the permissions of one subject over one snapshot, with SpiceDB's semantics. A cycle of relationships and a chain longer than
/// <see cref="MaxDepth"/> are errors and never grant a permission.
/// </summary>
internal sealed class PermissionEvaluator(ZedSchema schema, RelationshipReader tuples, SubjectRef subject)
{
    /// <summary>SpiceDB's default.</summary>
    public const int MaxDepth = 50;

    /// <summary>The most relations and permissions that one evaluation visits. It bounds the work that stored relationships can cause.</summary>
    private const int MaxSteps = 20_000;

    private readonly Dictionary<(ObjectRef, string), bool> _known = [];
    private readonly HashSet<(ObjectRef, string)> _path = [];
    private int _steps;

    private enum Outcome
    {
        No,
        Yes,
        TooDeep,
    }

    /// <exception cref="EngineException">A name is undefined, or the evaluation exceeds a limit.</exception>
    public async Task<bool> HasAsync(ObjectRef resource, string permission, CancellationToken ct)
    {
        Require(schema, resource.Type, permission);
        if (!schema.Definitions.TryGetValue(subject.Object.Type, out var type))
        {
            throw EngineException.UnknownDefinition(subject.Object.Type);
        }

        if (subject.Relation.Length > 0 && !type.Has(subject.Relation))
        {
            throw EngineException.UnknownRelation(subject.Relation, subject.Object.Type);
        }

        if (subject.Object.Id == "*")
        {
            throw EngineException.Invalid("cannot perform check on wildcard");
        }

        return await ResolveAsync(resource, permission, ct) switch
        {
            Outcome.Yes => true,
            Outcome.No => false,
            _ => throw EngineException.TooDeep,
        };
    }

    /// <exception cref="EngineException">The definition, or its relation or permission, is undefined.</exception>
    public static ZedDefinition Require(ZedSchema schema, string type, string name) =>
        !schema.Definitions.TryGetValue(type, out var definition) ? throw EngineException.UnknownDefinition(type)
        : definition.Has(name) ? definition
        : throw EngineException.UnknownRelation(name, type);

    private async Task<Outcome> ResolveAsync(ObjectRef resource, string name, CancellationToken ct)
    {
        if (subject == new SubjectRef(resource, name))
        {
            return Outcome.Yes;
        }

        if (_known.TryGetValue((resource, name), out var known))
        {
            return known ? Outcome.Yes : Outcome.No;
        }

        if (_path.Count >= MaxDepth || ++_steps > MaxSteps || !_path.Add((resource, name)))
        {
            return Outcome.TooDeep;
        }

        var definition = schema.Definitions[resource.Type];
        var answer = definition.Permissions.TryGetValue(name, out var permission)
            ? await EvaluateAsync(resource, permission.Expression, ct)
            : await ResolveRelationAsync(resource, name, ct);
        _path.Remove((resource, name));
        // TooDeep depends on the path to this object, so it is not cached.
        if (answer != Outcome.TooDeep)
        {
            _known[(resource, name)] = answer == Outcome.Yes;
        }

        return answer;
    }

    private async Task<Outcome> ResolveRelationAsync(ObjectRef resource, string relation, CancellationToken ct)
    {
        var (direct, sets) = await tuples.FindAsync(resource, relation, subject, ct);
        return direct ? Outcome.Yes : await AnyAsync(sets.Select(static set => (set.Object, set.Relation)), ct);
    }

    private async Task<Outcome> EvaluateAsync(ObjectRef resource, ZedExpression expression, CancellationToken ct) => expression switch
    {
        ZedExpression.Nil => Outcome.No,
        ZedExpression.Reference { Name: var name } => await ResolveAsync(resource, name, ct),
        ZedExpression.Arrow arrow => await AnyAsync(
            (await tuples.SubjectsAsync(resource, arrow.Relation, ct))
                .Where(to => schema.Definitions[to.Type].Has(arrow.Name))
                .Select(to => (to, arrow.Name)),
            ct),
        ZedExpression.Combination { Operator: var combine, Left: var left, Right: var right } => await CombineAsync(combine, resource, left, right, ct),
        _ => throw new InvalidOperationException($"{expression.GetType().Name} is not a known expression."),
    };

    private async Task<Outcome> CombineAsync(ZedOperator combine, ObjectRef resource, ZedExpression left, ZedExpression right, CancellationToken ct)
    {
        var first = await EvaluateAsync(resource, left, ct);
        // Short circuit.
        if (combine == ZedOperator.Union ? first == Outcome.Yes : first == Outcome.No)
        {
            return first;
        }

        var second = await EvaluateAsync(resource, right, ct);
        return (combine, second) switch
        {
            (ZedOperator.Union, Outcome.Yes) => Outcome.Yes,
            (ZedOperator.Intersection, Outcome.No) => Outcome.No,
            (ZedOperator.Exclusion, Outcome.Yes) => Outcome.No,
            _ when first == Outcome.TooDeep || second == Outcome.TooDeep => Outcome.TooDeep,
            (ZedOperator.Union, _) => Outcome.No,
            _ => Outcome.Yes,
        };
    }

    private async Task<Outcome> AnyAsync(IEnumerable<(ObjectRef Object, string Name)> targets, CancellationToken ct)
    {
        var result = Outcome.No;
        foreach (var (target, name) in targets)
        {
            switch (await ResolveAsync(target, name, ct))
            {
                case Outcome.Yes:
                    return Outcome.Yes;
                case Outcome.TooDeep:
                    result = Outcome.TooDeep;
                    break;
            }
        }

        return result;
    }
}
