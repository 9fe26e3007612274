using System.Net.Mail;
using System.Text.RegularExpressions;

namespace Cube.Identity.Users;

/// <summary>What a new account must look like.</summary>
internal static partial class UserRules
{
    /// <summary>Longest name, password or description, in characters.</summary>
    public const int MaxText = 1024;

    public const int MinPassword = 8;

    /// <returns>The first fault, or null.</returns>
    public static string? FaultOf(UserApi.CreateRequest request) =>
        FaultOfName(request.FirstName, "first_name")
        ?? FaultOfName(request.LastName, "last_name")
        ?? FaultOfEmail(request.Email)
        ?? FaultOfUsername(request.Credentials?.Username, "credentials.username")
        ?? FaultOfPassword(request.Credentials?.Secret, "credentials.secret")
        ?? (request.Role is null ? null : FaultOfRole(request.Role))
        ?? (request.Status is null or "enabled" or "disabled" ? null : "status must be enabled or disabled.")
        ?? (request.ProfilePicture is null ? null : FaultOfPicture(request.ProfilePicture))
        ?? Requests.FaultOf(request.Tags)
        ?? Requests.FaultOf(request.Metadata, "metadata")
        ?? Requests.FaultOf(request.PrivateMetadata, "private_metadata");

    public static string? FaultOfName(string? value, string name) =>
        string.IsNullOrWhiteSpace(value) || value.Length > MaxText ? $"{name} must have 1 to {MaxText} characters." : null;

    public static string? FaultOfEmail(string? email) =>
        email is { Length: <= 254 } && MailAddress.TryCreate(email, out var address) && address.Address == email ? null : "email must be an e-mail address.";

    public static string? FaultOfUsername(string? name, string member) =>
        name is not null && Username().IsMatch(name) && !name.Contains("__", StringComparison.Ordinal) && !name.Contains("--", StringComparison.Ordinal)
            ? null
            : $"{member} must have 1 to 32 letters, digits, '_' or '-', begin with a letter or digit and have no '__' or '--'.";

    public static string? FaultOfPassword(string? secret, string member) =>
        secret is { Length: >= MinPassword and <= MaxText } ? null : $"{member} must have {MinPassword} to {MaxText} characters.";

    public static string? FaultOfRole(string? role) => role is "user" or "admin" ? null : "role must be user or admin.";

    /// <summary>Empty takes the picture away.</summary>
    public static string? FaultOfPicture(string picture) =>
        picture.Length == 0 || (picture.Length <= 2048 && Uri.TryCreate(picture, UriKind.Absolute, out var url) && url.Scheme is "http" or "https")
            ? null
            : "profile_picture must be an http or https URL.";

    [GeneratedRegex(@"^[a-zA-Z0-9][a-zA-Z0-9_-]{0,31}\z")]
    private static partial Regex Username();
}
