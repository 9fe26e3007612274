using System.Text.Json;
using Cube.ServiceDefaults.Errors;

namespace Cube.Proxy.Models;

/// <summary>
/// Finds the member <c>model</c> of a request in one pass over the bytes. A body that two readers could understand differently is refused:
/// no second <c>model</c>, and none in other letters, which model servers written in Go take for the same.
/// </summary>
internal static class ModelMember
{
    private const string Name = "model";

    /// <summary>Deeper nesting than any schema of a tool has.</summary>
    private const int MaxDepth = 256;

    /// <returns>The model, or what is wrong with the body.</returns>
    public static (string? Model, OpenAiError? Fault) Read(ReadOnlySpan<byte> json)
    {
        try
        {
            return ReadStrictly(json);
        }
        catch (Exception exception) when (exception is JsonException or InvalidOperationException)
        {
            // Not JSON, or a text with half of a surrogate pair.
            return (null, OpenAiError.InvalidJson);
        }
    }

    private static (string? Model, OpenAiError? Fault) ReadStrictly(ReadOnlySpan<byte> json)
    {
        var reader = new Utf8JsonReader(json, new JsonReaderOptions { MaxDepth = MaxDepth });
        if (!reader.Read() || reader.TokenType != JsonTokenType.StartObject)
        {
            return (null, OpenAiError.InvalidJson);
        }

        string? model = null;
        OpenAiError? fault = null;
        var isFound = false;
        // To the very end: what is not JSON anywhere is not JSON.
        while (reader.Read())
        {
            if (reader.TokenType != JsonTokenType.PropertyName || reader.CurrentDepth != 1 || !IsName(ref reader, out var isExact))
            {
                continue;
            }

            if (isFound || !isExact)
            {
                fault ??= OpenAiError.InvalidJson;
            }

            reader.Read();
            if (reader.TokenType == JsonTokenType.String)
            {
                (model, isFound) = (reader.GetString(), true);
            }
            else
            {
                fault ??= reader.TokenType == JsonTokenType.Null ? OpenAiError.MissingParameter(Name) : OpenAiError.InvalidType(Name, "a string");
                reader.Skip();
                isFound = true;
            }
        }

        return fault is not null ? (null, fault) : string.IsNullOrEmpty(model) ? (null, OpenAiError.MissingParameter(Name)) : (model, null);
    }

    /// <summary>Without making a string of every name.</summary>
    private static bool IsName(ref Utf8JsonReader reader, out bool isExact)
    {
        isExact = reader.ValueTextEquals("model"u8);
        if (isExact)
        {
            return true;
        }

        return (reader.ValueIsEscaped || reader.ValueSpan.Length == Name.Length) && string.Equals(reader.GetString(), Name, StringComparison.OrdinalIgnoreCase);
    }
}
