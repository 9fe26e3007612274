using System.Text.Json;
using System.Text.Json.Serialization;
using Cube.Identity.Callers;

namespace Cube.Identity.Users;

/// <summary>A row of <c>users</c>.</summary>
internal sealed class User
{
    public Guid Id { get; init; }
    public string FirstName { get; init; } = "";
    public string LastName { get; init; } = "";
    public string Email { get; init; } = "";
    public string Username { get; init; } = "";
    public string PasswordHash { get; init; } = "";
    public string[] Tags { get; init; } = [];
    public string Metadata { get; init; } = "{}";
    public string PrivateMetadata { get; init; } = "{}";
    public string Status { get; init; } = "enabled";
    public string Role { get; init; } = "user";
    public string ProfilePicture { get; init; } = "";
    public DateTime CreatedAt { get; init; }
    public DateTime UpdatedAt { get; init; }
    public Guid? UpdatedBy { get; init; }
    public DateTime? VerifiedAt { get; init; }

    public bool IsAdministrator => Role == "admin";

    /// <summary>The view for the user and for administrators of the platform, without the password hash.</summary>
    public UserView ToView() => new(
        Id, FirstName, LastName, Email, new UserCredentials(Username), Tags, Parse(Metadata), Parse(PrivateMetadata),
        Status, Role, ProfilePicture, CreatedAt, UpdatedAt, UpdatedBy, VerifiedAt);

    /// <summary>The view for other users: names only. The user and administrators of the platform also see the metadata.</summary>
    public ReducedUserView ToReducedView(Caller caller) => new(
        Id, FirstName, LastName, new UserCredentials(Username), caller.IsAdministrator || caller.UserId == Id ? Parse(Metadata) : null);

    private static JsonElement Parse(string json) => JsonElement.Parse(json);
}

internal sealed record UserCredentials(string Username);

internal sealed record UserView(
    Guid Id,
    string FirstName,
    string LastName,
    string Email,
    UserCredentials Credentials,
    string[] Tags,
    JsonElement Metadata,
    JsonElement PrivateMetadata,
    string Status,
    string Role,
    string ProfilePicture,
    DateTime CreatedAt,
    DateTime UpdatedAt,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] Guid? UpdatedBy,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] DateTime? VerifiedAt);

internal sealed record ReducedUserView(
    Guid Id,
    string FirstName,
    string LastName,
    UserCredentials Credentials,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] JsonElement? Metadata);

internal sealed record ReducedUserPage(long Total, int Offset, int Limit, IEnumerable<ReducedUserView> Users);
