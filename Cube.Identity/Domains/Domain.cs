using System.Text.Json;
using System.Text.Json.Serialization;

namespace Cube.Identity.Domains;

/// <summary>A row of <c>domains</c>, with the role that the caller has in the domain, if any.</summary>
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

    /// <summary>The actions of that role.</summary>
    public string[]? Actions { get; init; }

    public DomainView ToView(IEnumerable<RoleView>? roles = null) => new(
        Id, Name, Route, Tags, JsonElement.Parse(Metadata), Status, CreatedBy, CreatedAt, UpdatedBy, UpdatedAt, MemberId, RoleId, RoleName, Actions, roles);
}

/// <param name="MemberId">The caller, when the caller is a member; absent for an administrator of the platform who is not.</param>
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

    /// <summary>Closed by an administrator of the domain or of the platform.</summary>
    public const string Disabled = "disabled";

    /// <summary>Closed by an administrator of the platform. Only such an administrator can use or enable it.</summary>
    public const string Freezed = "freezed";

    public const string Deleted = "deleted";
}
