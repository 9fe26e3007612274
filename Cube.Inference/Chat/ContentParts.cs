using System.Text.Json;
using Cube.Inference.Images;

namespace Cube.Inference.Chat;

/// <summary>Checks one part of a message's content.</summary>
/// <returns>False if the type is not supported.</returns>
/// <exception cref="RequestRejectedException">A member of the part is missing or invalid.</exception>
internal delegate bool ContentPartCheck(string type, JsonElement part, string param);

/// <summary>The rules for message content that chats and responses share: a string, or an array of typed parts.</summary>
internal static class ContentParts
{
    /// <param name="content">The content.</param>
    /// <param name="param">The path of the content.</param>
    /// <param name="checkPart">Checks the members of a part.</param>
    /// <param name="supportedTypes">The part types, as the error lists them.</param>
    /// <exception cref="RequestRejectedException">The content is invalid.</exception>
    public static void Check(JsonElement content, string param, ContentPartCheck checkPart, string supportedTypes)
    {
        if (content.ValueKind == JsonValueKind.String)
        {
            return;
        }

        FieldChecks.RequireType(content.ValueKind == JsonValueKind.Array, param, "a string or an array of parts");
        FieldChecks.Require(content.GetArrayLength() > 0, param, "there must be at least one part");
        var i = 0;
        foreach (var part in content.EnumerateArray())
        {
            var where = $"{param}[{i++}]";
            FieldChecks.Object(part, where);
            var type = part.Required("type", $"{where}.type");
            FieldChecks.String(type, $"{where}.type");
            if (!checkPart(type.GetString() ?? "", part, where))
            {
                throw new RequestRejectedException(OpenAiError.UnsupportedValue($"{where}.type", $"parts can be {supportedTypes}"));
            }
        }
    }

    /// <summary>Checks that a part has a string member.</summary>
    /// <returns>True.</returns>
    public static bool CheckString(JsonElement part, string name, string param)
    {
        FieldChecks.String(part.Required(name, $"{param}.{name}"), $"{param}.{name}");
        return true;
    }

    /// <param name="content">Content that passed <see cref="Check"/>; null if there is none.</param>
    /// <param name="param">The path of the content.</param>
    /// <param name="type">The type of parts with an image.</param>
    /// <param name="urlPath">The names of the members that lead from the part to the image's URL.</param>
    public static IEnumerable<RequestImage> ImagesOf(JsonElement? content, string param, string type, params string[] urlPath)
    {
        if (content is not { ValueKind: JsonValueKind.Array } parts)
        {
            yield break;
        }

        var i = -1;
        foreach (var part in parts.EnumerateArray())
        {
            i++;
            if (part.GetProperty("type").ValueEquals(type))
            {
                yield return new RequestImage(urlPath.Aggregate(part, static (json, name) => json.GetProperty(name)), $"{param}[{i}].{string.Join('.', urlPath)}", IsUrl: true);
            }
        }
    }
}
