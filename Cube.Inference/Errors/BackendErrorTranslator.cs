using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;

namespace Cube.Inference.Errors;

/// <summary>
/// Explains a 400 of a model server in the proxy's words. The client learns which member of its request is at fault, where the model server says so and the client has sent
/// that member. The text of the model server does not reach the client.
/// </summary>
public static partial class BackendErrorTranslator
{
    private static readonly string[] _limits = ["max_tokens", "max_completion_tokens", "max_output_tokens", "max_new_tokens", "num_predict"];

    /// <summary>What the proxy adds to requests; a client cannot change it.</summary>
    private static readonly string[] _added = ["cache_salt", "stream_options", "truncate"];

    private static readonly string[] _prompts = ["messages", "prompt", "input"];

    /// <param name="body">The beginning of the model server's answer.</param>
    /// <param name="sent">The JSON that was sent to the model server; anything else has no members.</param>
    /// <param name="limit">The name under which the client limited the tokens of the answer.</param>
    public static OpenAiError Explain(ReadOnlySpan<byte> body, ReadOnlySpan<byte> sent, string limit)
    {
        var (message, named) = Read(body);
        var members = MembersOf(sent);
        var param = NamedInPath().Match(named ?? NamedInText().Match(message).Groups[1].Value);
        var name = param.Groups["name"].Value;
        var isSent = members.Contains(name);
        if (members.Contains("max_tokens") && (_limits.Contains(name) || (name.Length == 0 && LimitIsTooHigh().IsMatch(message))))
        {
            return OpenAiError.InvalidValue(limit, $"Invalid value for '{limit}': the model cannot give an answer of this length.");
        }

        // A validator repeats the client's own words, in which anything may stand.
        if ((!isSent || _prompts.Contains(name)) && !FromValidator().IsMatch(message) && ContextIsFull().IsMatch(message))
        {
            return OpenAiError.ContextLengthExceeded;
        }

        return ExplainKnown(message, members)
            ?? (isSent ? Invalid(param.Groups["index"] is { Success: true, Value: var index } ? $"{name}[{index}]" : name) : OpenAiError.InvalidRequestBody);
    }

    private static OpenAiError Invalid(string param) => OpenAiError.InvalidValue(param, $"Invalid value for '{param}': the model server cannot use it.");

    private static OpenAiError? ExplainKnown(string message, HashSet<string> members) =>
        Has(message, "does not support tools") || Has(message, "tool-call-parser") ? OpenAiError.UnsupportedParameter("tools")
        : Has(message, "does not support thinking") || Has(message, "think value") ? OpenAiError.UnsupportedParameter("reasoning_effort")
        : Has(message, "not a multimodal model") || Has(message, "does not support image") ? OpenAiError.UnsupportedValue("messages", "this model reads no images")
        : TooManyImages().IsMatch(message) ? OpenAiError.UnsupportedValue("messages", "there are more images than this model reads in one request")
        : Has(message, "does not support embeddings") || Has(message, "does not support chat") ? OpenAiError.NotServed
        : Has(message, "does not support insert") || Has(message, "suffix is only supported") ? OpenAiError.UnsupportedParameter("suffix")
        : Has(message, "dimensions") && members.Contains("dimensions") ? OpenAiError.UnsupportedParameter("dimensions")
        : (Has(message, "message content") || Has(message, "tool call arguments")) && members.Contains("messages") ? Invalid("messages")
        : UnreadField().Match(message) is { Success: true } field && members.Contains(field.Groups[1].Value) ? Invalid(field.Groups[1].Value)
        : UnreadTool().IsMatch(message) && members.Contains("tools") ? Invalid("tools")
        : null;

    private static bool Has(string message, string words) => message.Contains(words, StringComparison.OrdinalIgnoreCase);

    /// <summary>The message and <c>param</c> of the forms that servers use: <c>{"error":{…}}</c>, <c>{"error":"…"}</c>, <c>{"message":…}</c>, <c>{"detail":…}</c>, or no JSON at all.</summary>
    private static (string Message, string? Param) Read(ReadOnlySpan<byte> body)
    {
        var text = Encoding.UTF8.GetString(body);
        try
        {
            using var json = JsonDocument.Parse(text.TrimStart('\uFEFF'));
            if (json.RootElement.ValueKind != JsonValueKind.Object)
            {
                return (text, null);
            }

            var error = json.RootElement.TryGetProperty("error", out var inner) && inner.ValueKind == JsonValueKind.Object ? inner : json.RootElement;
            // What is not a text is searched as it stands: a list of what a validator found.
            return (TextOf(error, "message") ?? TextOf(error, "error") ?? text, TextOf(error, "param"));
        }
        catch (JsonException)
        {
            // Not JSON, or cut off after its beginning.
            return (text, null);
        }
    }

    private static string? TextOf(JsonElement json, string name) =>
        json.TryGetProperty(name, out var member) && member.ValueKind == JsonValueKind.String && member.GetString() is { Length: > 0 } text ? text : null;

    private static HashSet<string> MembersOf(ReadOnlySpan<byte> sent)
    {
        var names = new HashSet<string>(StringComparer.Ordinal);
        try
        {
            var reader = new Utf8JsonReader(sent, new JsonReaderOptions { MaxDepth = 256 });
            if (reader.Read() && reader.TokenType == JsonTokenType.StartObject)
            {
                while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
                {
                    names.Add(reader.GetString() ?? "");
                    reader.Skip();
                }
            }

            names.ExceptWith(_added);
        }
        catch (JsonException)
        {
            // A form.
        }

        return names;
    }

    /// <summary>vLLM writes the member at fault behind its messages.</summary>
    [GeneratedRegex(@"\(parameter=([A-Za-z_][A-Za-z0-9_.\[\]]{0,99})")]
    private static partial Regex NamedInText();

    /// <summary>The outermost name and the index in it; vLLM begins some paths with <c>body</c>. What follows may be names of the server's own.</summary>
    [GeneratedRegex(@"\A(?:body\.)?(?<name>[A-Za-z_]+)(?:\[(?<index>[0-9]{1,6})\]|\.(?<index>[0-9]{1,6})(?![0-9]))?")]
    private static partial Regex NamedInPath();

    [GeneratedRegex(@"\bmax_(completion_|new_|output_)?tokens\b.{0,40}(cannot be greater|is too large|exceeds|must be)", RegexOptions.IgnoreCase)]
    private static partial Regex LimitIsTooHigh();

    /// <summary>The words of vLLM, SGLang, TGI, llama.cpp and Ollama for a prompt that the model's context cannot hold.</summary>
    [GeneratedRegex(
        @"context[ _](length|size|window)|longer than the (maximum )?(model|context)|exceeds? (the )?(model'?s )?(max_model_len|maximum (model|context|input|sequence)|max(imum)? (input|sequence|model) length)|"
        + @"(prompt|input|inputs)\b.{0,80}(too long|is longer than|exceeds? the (maximum|max|limit|allowed|available))|`?inputs`? tokens \+ `?max_new_tokens`? must be",
        RegexOptions.IgnoreCase | RegexOptions.Singleline)]
    private static partial Regex ContextIsFull();

    [GeneratedRegex(@"\A[0-9]+ validation error")]
    private static partial Regex FromValidator();

    [GeneratedRegex(@"at most \d+ image|too many images", RegexOptions.IgnoreCase)]
    private static partial Regex TooManyImages();

    /// <summary>Ollama names the field of its own structure that it could not read, as <c>ChatCompletionRequest.tools.function.parameters</c>.</summary>
    [GeneratedRegex(@"Go struct field \w*\.([a-z_]+)")]
    private static partial Regex UnreadField();

    /// <summary>The same of a structure or a field that only tools have.</summary>
    [GeneratedRegex(@"Go (value of type api\.Tool|struct field (\w*Tool\w*)?\.(required|properties|type|items|enum|description|parameters)\b)")]
    private static partial Regex UnreadTool();
}
