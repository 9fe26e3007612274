using Cube.Inference.Errors;
using System.Text;
using System.Text.Json;
using Cube.ServiceDefaults.Errors;

namespace Cube.Agent.Guide;

/// <summary>The members of a chat or completion request that the guide model uses. Unsupported values are errors, not ignored.</summary>
internal sealed record GuideRequest(string Question, int PromptTokens, int? MaxTokens, string[] Stop, bool Stream, bool IncludeUsage)
{
    /// <returns>The request, or the error for the client.</returns>
    public static async Task<(GuideRequest? Request, OpenAiError? Error)> ReadAsync(HttpRequest http, bool chat)
    {
        JsonDocument document;
        try
        {
            document = await JsonDocument.ParseAsync(http.Body, cancellationToken: http.HttpContext.RequestAborted);
        }
        catch (JsonException)
        {
            return (null, OpenAiError.InvalidJson);
        }

        using (document)
        {
            return document.RootElement.ValueKind == JsonValueKind.Object ? Parse(document.RootElement, chat) : (null, OpenAiError.InvalidJson);
        }
    }

    private static (GuideRequest?, OpenAiError?) Parse(JsonElement body, bool chat)
    {
        if (Text(body, "model") is not { Length: > 0 } model)
        {
            return (null, OpenAiError.MissingParameter("model"));
        }

        if (model is not (GuideModel.Id or GuideModel.Id + ":latest"))
        {
            return (null, OpenAiError.ModelNotFound);
        }

        if (Get(body, "n") is { } n && !(n.TryGetInt32(out var choices) && choices == 1))
        {
            return (null, OpenAiError.InvalidValue("n", "cube-guide returns one choice only."));
        }

        var (limit, fault) = Limit(body);
        var (stop, stopFault) = Stops(body);
        var (question, everything, promptFault) = chat ? Messages(body) : Prompt(body);
        var stream = Get(body, "stream") is { ValueKind: JsonValueKind.True };
        var usage = stream && Get(body, "stream_options") is { ValueKind: JsonValueKind.Object } options
            && Get(options, "include_usage") is { ValueKind: JsonValueKind.True };
        return (promptFault ?? fault ?? stopFault) is { } error
            ? (null, error)
            : (new GuideRequest(question, GuideModel.CountTokens(everything), limit, stop, stream, usage), null);
    }

    /// <summary>The smaller of both limits applies.</summary>
    private static (int?, OpenAiError?) Limit(JsonElement body)
    {
        int? limit = null;
        foreach (var name in (string[])["max_tokens", "max_completion_tokens"])
        {
            if (Get(body, name) is { } value)
            {
                if (value.ValueKind != JsonValueKind.Number || !value.TryGetInt32(out var tokens) || tokens < 1)
                {
                    return (null, OpenAiError.InvalidValue(name, $"'{name}' must be a whole number of at least 1."));
                }

                limit = Math.Min(limit ?? tokens, tokens);
            }
        }

        return (limit, null);
    }

    private static (string[], OpenAiError?) Stops(JsonElement body)
    {
        string?[] stops = Get(body, "stop") switch
        {
            null => [],
            { ValueKind: JsonValueKind.String } one => [one.GetString()],
            { ValueKind: JsonValueKind.Array } many when many.GetArrayLength() <= 4 =>
                [.. many.EnumerateArray().Select(static item => item.ValueKind == JsonValueKind.String ? item.GetString() : null)],
            _ => [null],
        };
        return stops.Any(string.IsNullOrEmpty)
            ? ([], OpenAiError.InvalidValue("stop", "'stop' must be a string or an array of up to four strings."))
            : (stops.OfType<string>().ToArray(), null);
    }

    private static (string, string, OpenAiError?) Messages(JsonElement body)
    {
        if (Get(body, "messages") is not { } messages)
        {
            return ("", "", OpenAiError.MissingParameter("messages"));
        }

        if (messages.ValueKind != JsonValueKind.Array || messages.GetArrayLength() == 0)
        {
            return ("", "", OpenAiError.InvalidType("messages", "an array of at least one message"));
        }

        var (question, everything) = ("", new StringBuilder());
        var index = 0;
        foreach (var message in messages.EnumerateArray())
        {
            if (message.ValueKind != JsonValueKind.Object || Text(message, "role") is not { } role)
            {
                return ("", "", OpenAiError.MissingParameter($"messages[{index}].role"));
            }

            if (ContentOf(message) is not { } content)
            {
                return ("", "", OpenAiError.InvalidType($"messages[{index}].content", "text"));
            }

            everything.Append(content).Append('\n');
            question = role == "user" ? content : question;
            index++;
        }

        return (question, everything.ToString(), null);
    }

    private static string? ContentOf(JsonElement message) => Get(message, "content") switch
    {
        null => "",
        { ValueKind: JsonValueKind.String } text => text.GetString(),
        { ValueKind: JsonValueKind.Array } parts when parts.EnumerateArray().All(IsText) =>
            string.Join('\n', parts.EnumerateArray().Select(static part => Text(part, "text"))),
        _ => null,
    };

    private static bool IsText(JsonElement part) =>
        part.ValueKind == JsonValueKind.Object && Text(part, "type") == "text" && Text(part, "text") is not null;

    private static (string, string, OpenAiError?) Prompt(JsonElement body) => Get(body, "prompt") switch
    {
        null => ("", "", OpenAiError.MissingParameter("prompt")),
        { ValueKind: JsonValueKind.String } prompt => (prompt.GetString()!, prompt.GetString()!, null),
        _ => ("", "", OpenAiError.InvalidType("prompt", "text")),
    };

    /// <summary>The member, or null if it is missing or JSON null.</summary>
    private static JsonElement? Get(JsonElement json, string name) =>
        json.TryGetProperty(name, out var value) && value.ValueKind != JsonValueKind.Null ? value : null;

    private static string? Text(JsonElement json, string name) =>
        Get(json, name) is { ValueKind: JsonValueKind.String } value ? value.GetString() : null;
}
