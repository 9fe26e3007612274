using System.Text.Json.Serialization;

namespace Cube.Identity.Domains;

/// <summary>A row of <c>roles</c>, with what it may do.</summary>
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

    /// <summary>Only those that it is narrowed to.</summary>
    public string[] NamedModels { get; init; } = [];

    /// <summary><c>*</c> alone stands for all models of the domain.</summary>
    public string[] Models => AllModels ? [RoleModels.All] : NamedModels;

    /// <summary>Whether it allows nothing that this one does not: nobody gives, takes or changes more than he has himself.</summary>
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

    public static string? FaultOf(string[]? models) => models switch
    {
        null => "models is needed: ids of models, or \"*\" alone for all of them.",
        { Length: > MaxCount } => $"models must not be more than {MaxCount}.",
        _ when models.Any(static model => string.IsNullOrWhiteSpace(model) || model.Length > MaxLength) => $"models must be ids of 1 to {MaxLength} characters.",
        { Length: > 1 } when models.Contains(All) => "\"*\" stands for all models and is then the only one.",
        _ => null,
    };
}
