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

    private enum Answer
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

        return await AskAsync(resource, permission, ct) switch
        {
            Answer.Yes => true,
            Answer.No => false,
            _ => throw EngineException.TooDeep,
        };
    }

    /// <exception cref="EngineException">The definition, or its relation or permission, is undefined.</exception>
    public static ZedDefinition Require(ZedSchema schema, string type, string name) =>
        !schema.Definitions.TryGetValue(type, out var definition) ? throw EngineException.UnknownDefinition(type)
        : definition.Has(name) ? definition
        : throw EngineException.UnknownRelation(name, type);

    private async Task<Answer> AskAsync(ObjectRef resource, string name, CancellationToken ct)
    {
        if (subject == new SubjectRef(resource, name))
        {
            return Answer.Yes;
        }

        if (_known.TryGetValue((resource, name), out var known))
        {
            return known ? Answer.Yes : Answer.No;
        }

        if (_path.Count >= MaxDepth || ++_steps > MaxSteps || !_path.Add((resource, name)))
        {
            return Answer.TooDeep;
        }

        var definition = schema.Definitions[resource.Type];
        var answer = definition.Permissions.TryGetValue(name, out var permission)
            ? await EvaluateAsync(resource, permission.Expression, ct)
            : await RelatedAsync(resource, name, ct);
        _path.Remove((resource, name));
        // TooDeep depends on the path to this object, so it is not cached.
        if (answer != Answer.TooDeep)
        {
            _known[(resource, name)] = answer == Answer.Yes;
        }

        return answer;
    }

    private async Task<Answer> RelatedAsync(ObjectRef resource, string relation, CancellationToken ct)
    {
        var (direct, sets) = await tuples.FindAsync(resource, relation, subject, ct);
        return direct ? Answer.Yes : await AnyAsync(sets.Select(static set => (set.Object, set.Relation)), ct);
    }

    private async Task<Answer> EvaluateAsync(ObjectRef resource, ZedExpression expression, CancellationToken ct) => expression switch
    {
        ZedExpression.Nil => Answer.No,
        ZedExpression.Reference { Name: var name } => await AskAsync(resource, name, ct),
        ZedExpression.Arrow arrow => await AnyAsync(
            (await tuples.SubjectsAsync(resource, arrow.Relation, ct))
                .Where(to => schema.Definitions[to.Type].Has(arrow.Name))
                .Select(to => (to, arrow.Name)),
            ct),
        ZedExpression.Combination { Operator: var combine, Left: var left, Right: var right } => await CombineAsync(combine, resource, left, right, ct),
        _ => throw new InvalidOperationException($"{expression.GetType().Name} is not a known expression."),
    };

    private async Task<Answer> CombineAsync(ZedOperator combine, ObjectRef resource, ZedExpression left, ZedExpression right, CancellationToken ct)
    {
        var first = await EvaluateAsync(resource, left, ct);
        // Short circuit.
        if (combine == ZedOperator.Union ? first == Answer.Yes : first == Answer.No)
        {
            return first;
        }

        var second = await EvaluateAsync(resource, right, ct);
        return (combine, second) switch
        {
            (ZedOperator.Union, Answer.Yes) => Answer.Yes,
            (ZedOperator.Intersection, Answer.No) => Answer.No,
            (ZedOperator.Exclusion, Answer.Yes) => Answer.No,
            _ when first == Answer.TooDeep || second == Answer.TooDeep => Answer.TooDeep,
            (ZedOperator.Union, _) => Answer.No,
            _ => Answer.Yes,
        };
    }

    private async Task<Answer> AnyAsync(IEnumerable<(ObjectRef Object, string Name)> places, CancellationToken ct)
    {
        var result = Answer.No;
        foreach (var (place, name) in places)
        {
            switch (await AskAsync(place, name, ct))
            {
                case Answer.Yes:
                    return Answer.Yes;
                case Answer.TooDeep:
                    result = Answer.TooDeep;
                    break;
            }
        }

        return result;
    }
}
