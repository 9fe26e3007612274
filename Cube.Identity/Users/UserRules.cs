using System.Net.Mail;
using System.Text.RegularExpressions;
using Cube.Identity.Api;

namespace Cube.Identity.Users;

/// <summary>Rules for accounts. Each method returns a message for the client, or null when the value is valid.</summary>
internal static partial class UserRules
{
    /// <summary>The longest name, password or description, in characters.</summary>
    public const int MaxText = 1024;

    public const int MinPassword = 8;

    /// <returns>The message for the first invalid member, or null.</returns>
    public static string? Validate(CreateUserRequest request) =>
        ValidateName(request.FirstName, "first_name")
        ?? ValidateName(request.LastName, "last_name")
        ?? ValidateEmail(request.Email)
        ?? ValidateUsername(request.Credentials?.Username, "credentials.username")
        ?? ValidatePassword(request.Credentials?.Secret, "credentials.secret")
        ?? (request.Role is null ? null : ValidateRole(request.Role))
        ?? (request.Status is null or "enabled" or "disabled" ? null : "status must be enabled or disabled.")
        ?? (request.ProfilePicture is null ? null : ValidatePicture(request.ProfilePicture))
        ?? InputRules.Validate(request.Tags)
        ?? InputRules.Validate(request.Metadata, "metadata")
        ?? InputRules.Validate(request.PrivateMetadata, "private_metadata");

    public static string? ValidateName(string? value, string name) =>
        string.IsNullOrWhiteSpace(value) || value.Length > MaxText ? $"{name} must have 1 to {MaxText} characters." : null;

    public static string? ValidateEmail(string? email) =>
        email is { Length: <= 254 } && MailAddress.TryCreate(email, out var address) && address.Address == email ? null : "email must be a valid e-mail address.";

    public static string? ValidateUsername(string? name, string member) =>
        name is not null && Username().IsMatch(name) && !name.Contains("__", StringComparison.Ordinal) && !name.Contains("--", StringComparison.Ordinal)
            ? null
            : $"{member} must have 1 to 32 letters, digits, '_' or '-', must begin with a letter or digit and must not contain '__' or '--'.";

    public static string? ValidatePassword(string? secret, string member) =>
        secret is { Length: >= MinPassword and <= MaxText } ? null : $"{member} must have {MinPassword} to {MaxText} characters.";

    public static string? ValidateRole(string? role) => role is "user" or "admin" ? null : "role must be user or admin.";

    /// <summary>An empty value removes the picture.</summary>
    public static string? ValidatePicture(string picture) =>
        picture.Length == 0 || (picture.Length <= 2048 && Uri.TryCreate(picture, UriKind.Absolute, out var url) && url.Scheme is "http" or "https")
            ? null
            : "profile_picture must be an http or https URL.";

    [GeneratedRegex(@"^[a-zA-Z0-9][a-zA-Z0-9_-]{0,31}\z")]
    private static partial Regex Username();
}
