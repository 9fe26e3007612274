using System.Text.Json;

namespace Cube.Identity.Users;

internal sealed record CredentialsRequest(string? Username, string? Secret);

internal sealed record CreateUserRequest(
    string? FirstName,
    string? LastName,
    string? Email,
    CredentialsRequest? Credentials,
    string[]? Tags,
    JsonElement? Metadata,
    JsonElement? PrivateMetadata,
    string? Status,
    string? Role,
    string? ProfilePicture);
