using System.Text.Json;

namespace Cube.Inference.Models;

/// <summary>A model of a model server.</summary>
/// <param name="Id">The exact id at the model server.</param>
/// <param name="Created">Creation time in seconds since 1970-01-01 UTC; 0 if the model server does not report it.</param>
/// <param name="OwnedBy">The owner that the model server reports; <c>library</c> if it reports none.</param>
public sealed record Model(string Id, long Created, string OwnedBy)
{
    /// <summary>Reads the models of a response to <c>GET /v1/models</c>. Without models, Ollama returns <c>data: null</c>.</summary>
    /// <exception cref="InvalidOperationException">A model's id is not a string.</exception>
    public static IEnumerable<Model> ReadList(JsonElement body)
    {
        if (!body.TryGetProperty("data", out var data) || data.ValueKind is not JsonValueKind.Array)
        {
            yield break;
        }

        foreach (var item in data.EnumerateArray())
        {
            if (item.TryGetProperty("id", out var id) && id.GetString() is { Length: > 0 } text)
            {
                var created = item.TryGetProperty("created", out var time) && time.ValueKind == JsonValueKind.Number && time.TryGetInt64(out var seconds) ? seconds : 0;
                var owner = item.TryGetProperty("owned_by", out var by) && by.ValueKind == JsonValueKind.String ? by.GetString() : null;
                yield return new Model(text, created, owner ?? "library");
            }
        }
    }

    /// <summary>Writes the four members of OpenAI's API. Other members, such as the path of the weights, are not passed to the client.</summary>
    /// <param name="id">The id under which the domain publishes the model.</param>
    public void Write(string id, Utf8JsonWriter json)
    {
        json.WriteStartObject();
        json.WriteString("id", id);
        json.WriteString("object", "model");
        json.WriteNumber("created", Created);
        json.WriteString("owned_by", OwnedBy);
        json.WriteEndObject();
    }
}
