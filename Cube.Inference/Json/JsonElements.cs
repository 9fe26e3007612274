using System.Text.Json;

namespace Cube.Inference.Json;

/// <summary>Reads members of objects. A member that is null counts as absent.</summary>
public static class JsonElements
{
    /// <returns>The member, where it is there and not null.</returns>
    public static JsonElement? Member(this JsonElement json, string name) =>
        json.TryGetProperty(name, out var value) && value.ValueKind != JsonValueKind.Null ? value : null;

    /// <exception cref="RequestRejectedException">It is not there.</exception>
    public static JsonElement Required(this JsonElement json, string name, string param) =>
        json.Member(name) ?? throw new RequestRejectedException(OpenAiError.MissingParameter(param));
}
