using System.Text.Json;
using System.Text.Json.Serialization;

namespace Cube.Identity.Domains;

/// <summary>A row of <c>domains</c>, with the role of the user who asks, if he has one.</summary>
internal sealed class Domain
{
    public Guid Id { get; init; }
    public string Name { get; init; } = "";
    public string Route { get; init; } = "";
    public string[] Tags { get; init; } = [];
    public string Metadata { get; init; } = "{}";
    public string Status { get; init; } = "";
    public Guid CreatedBy { get; init; }
    public DateTime CreatedAt { get; init; }
    public Guid? UpdatedBy { get; init; }
    public DateTime UpdatedAt { get; init; }
    public Guid? MemberId { get; init; }
    public string? RoleId { get; init; }
    public string? RoleName { get; init; }

    /// <summary>What that role may do.</summary>
    public string[]? Actions { get; init; }

    public DomainView ToView(IEnumerable<RoleView>? roles = null) => new(
        Id, Name, Route, Tags, JsonElement.Parse(Metadata), Status, CreatedBy, CreatedAt, UpdatedBy, UpdatedAt, MemberId, RoleId, RoleName, Actions, roles);
}

/// <param name="MemberId">The asking user, where he is a member; absent where he only administers the platform.</param>
internal sealed record DomainView(
    Guid Id,
    string Name,
    string Route,
    string[] Tags,
    JsonElement Metadata,
    string Status,
    Guid CreatedBy,
    DateTime CreatedAt,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] Guid? UpdatedBy,
    DateTime UpdatedAt,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] Guid? MemberId,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] string? RoleId,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] string? RoleName,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] IEnumerable<string>? Actions,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] IEnumerable<RoleView>? Roles);

internal sealed record NewDomain(string Name, string Route, string[] Tags, string Metadata);

internal static class DomainStatus
{
    public const string Enabled = "enabled";

    /// <summary>Closed by who administers the domain.</summary>
    public const string Disabled = "disabled";

    /// <summary>Closed by who administers the platform.</summary>
    public const string Freezed = "freezed";

    public const string Deleted = "deleted";
}
