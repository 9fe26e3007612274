using System.Text.Json;

namespace Cube.Identity.Api;

/// <summary>Rules for members that several requests have. Each method returns a message for the client, or null when the value is valid.</summary>
internal static class InputRules
{
    private const int MaxMetadata = 16_384;
    private const int MaxTags = 64;
    private const int MaxTag = 128;

    public static string? Validate(JsonElement? metadata, string name) => metadata switch
    {
        null or { ValueKind: JsonValueKind.Null or JsonValueKind.Undefined } => null,
        { ValueKind: not JsonValueKind.Object } => $"{name} must be a JSON object.",
        { } value when value.GetRawText().Length > MaxMetadata => $"{name} must not be longer than {MaxMetadata} characters.",
        _ => null,
    };

    public static string? Validate(string[]? tags) => tags switch
    {
        null => null,
        { Length: > MaxTags } => $"tags must have at most {MaxTags} elements.",
        _ when tags.Any(static tag => string.IsNullOrWhiteSpace(tag) || tag.Length > MaxTag) => $"Each tag must have 1 to {MaxTag} characters.",
        _ => null,
    };

    /// <returns>The JSON text, or null when the request has no object there, so that an update keeps the stored value.</returns>
    public static string? GivenJson(JsonElement? value) => value is { ValueKind: JsonValueKind.Object } json ? json.GetRawText() : null;

    public static string JsonOf(JsonElement? value) => GivenJson(value) ?? "{}";
}
