using System.Text.Json.Serialization;

namespace Cube.Identity.Domains;

/// <summary>A row of <c>roles</c>, with its actions and models.</summary>
internal sealed class Role
{
    public string Id { get; init; } = "";
    public string Name { get; init; } = "";
    public Guid EntityId { get; init; }
    public bool BuiltIn { get; init; }
    public bool AllModels { get; init; }
    public Guid CreatedBy { get; init; }
    public DateTime CreatedAt { get; init; }
    public Guid? UpdatedBy { get; init; }
    public DateTime? UpdatedAt { get; init; }
    public string[] Actions { get; init; } = [];

    /// <summary>The models that the role is narrowed to; empty when <see cref="AllModels"/> is true.</summary>
    public string[] NamedModels { get; init; } = [];

    /// <summary>The model ids, or only <c>*</c> for all models of the domain.</summary>
    public string[] Models => AllModels ? [RoleModels.All] : NamedModels;

    /// <summary>Whether this role includes the given actions and models. A caller can grant, revoke and change only what the caller's own role covers.</summary>
    public bool Covers(IEnumerable<string> actions, IEnumerable<string> models) =>
        !actions.Except(Actions).Any() && (AllModels || !models.Except(NamedModels).Any());

    public RoleView ToView() => new(Id, Name, EntityId, BuiltIn, Actions, Models, CreatedBy, CreatedAt, UpdatedBy, UpdatedAt);
}

internal sealed record RoleView(
    string Id,
    string Name,
    Guid EntityId,
    bool BuiltIn,
    string[] Actions,
    string[] Models,
    Guid CreatedBy,
    DateTime CreatedAt,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] Guid? UpdatedBy,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] DateTime? UpdatedAt);

internal static class RoleModels
{
    public const string All = "*";

    private const int MaxLength = 256;
    private const int MaxCount = 200;

    public static string? Validate(string[]? models) => models switch
    {
        null => "models is required: model ids, or only \"*\" for all models.",
        { Length: > MaxCount } => $"models must have at most {MaxCount} elements.",
        _ when models.Any(static model => string.IsNullOrWhiteSpace(model) || model.Length > MaxLength) => $"Each model id must have 1 to {MaxLength} characters.",
        { Length: > 1 } when models.Contains(All) => "\"*\" means all models and must be the only element.",
        _ => null,
    };
}
