using System.Text.Json;

namespace Cube.Inference.Json;

/// <summary>Reads members of objects. A member that is null counts as absent.</summary>
public static class JsonElements
{
    /// <returns>The member; null if it is absent or null.</returns>
    public static JsonElement? Member(this JsonElement json, string name) =>
        json.TryGetProperty(name, out var value) && value.ValueKind != JsonValueKind.Null ? value : null;

    /// <exception cref="RequestRejectedException">The member is absent or null.</exception>
    public static JsonElement Required(this JsonElement json, string name, string param) =>
        json.Member(name) ?? throw new RequestRejectedException(OpenAiError.MissingParameter(param));
}
