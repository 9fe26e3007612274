using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;

namespace Cube.Inference.Errors;

/// <summary>
/// Translates a 400 response of a model server to an OpenAI error. The error names the invalid member of the request if the model server names it and the client sent it. The text of the model server is not passed to
/// the client.
/// </summary>
public static partial class BackendErrorTranslator
{
    private static readonly string[] _limits = ["max_tokens", "max_completion_tokens", "max_output_tokens", "max_new_tokens", "num_predict"];

    /// <summary>Members that the proxy adds to requests. A client cannot change them.</summary>
    private static readonly string[] _added = ["cache_salt", "stream_options", "truncate"];

    private static readonly string[] _prompts = ["messages", "prompt", "input"];

    /// <param name="body">The beginning of the model server's response body.</param>
    /// <param name="sent">The request body that was sent to the model server. Bodies that are not JSON have no members.</param>
    /// <param name="limit">The member by which the client limited the tokens of the response.</param>
    public static OpenAiError Explain(ReadOnlySpan<byte> body, ReadOnlySpan<byte> sent, string limit)
    {
        var (message, named) = Read(body);
        var members = MembersOf(sent);
        var param = NamedInPath().Match(named ?? NamedInText().Match(message).Groups[1].Value);
        var name = param.Groups["name"].Value;
        var isSent = members.Contains(name);
        if (members.Contains("max_tokens") && (_limits.Contains(name) || (name.Length == 0 && LimitIsTooHigh().IsMatch(message))))
        {
            return OpenAiError.InvalidValue(limit, $"Invalid value for '{limit}': the model does not support responses of this length.");
        }

        // A validation error quotes the client's input, which can contain any text.
        if ((!isSent || _prompts.Contains(name)) && !FromValidator().IsMatch(message) && ContextIsFull().IsMatch(message))
        {
            return OpenAiError.ContextLengthExceeded;
        }

        return ExplainKnown(message, members)
            ?? (isSent ? Invalid(param.Groups["index"] is { Success: true, Value: var index } ? $"{name}[{index}]" : name) : OpenAiError.InvalidRequestBody);
    }

    private static OpenAiError Invalid(string param) => OpenAiError.InvalidValue(param, $"Invalid value for '{param}': the model server rejected it.");

    private static OpenAiError? ExplainKnown(string message, HashSet<string> members) =>
        Has(message, "does not support tools") || Has(message, "tool-call-parser") ? OpenAiError.UnsupportedParameter("tools")
        : Has(message, "does not support thinking") || Has(message, "think value") ? OpenAiError.UnsupportedParameter("reasoning_effort")
        : Has(message, "not a multimodal model") || Has(message, "does not support image") ? OpenAiError.UnsupportedValue("messages", "this model does not support images")
        : TooManyImages().IsMatch(message) ? OpenAiError.UnsupportedValue("messages", "the request has more images than this model supports")
        : Has(message, "does not support embeddings") || Has(message, "does not support chat") ? OpenAiError.NotServed
        : Has(message, "does not support insert") || Has(message, "suffix is only supported") ? OpenAiError.UnsupportedParameter("suffix")
        : Has(message, "dimensions") && members.Contains("dimensions") ? OpenAiError.UnsupportedParameter("dimensions")
        : (Has(message, "message content") || Has(message, "tool call arguments")) && members.Contains("messages") ? Invalid("messages")
        : UnreadField().Match(message) is { Success: true } field && members.Contains(field.Groups[1].Value) ? Invalid(field.Groups[1].Value)
        : UnreadTool().IsMatch(message) && members.Contains("tools") ? Invalid("tools")
        : null;

    private static bool Has(string message, string text) => message.Contains(text, StringComparison.OrdinalIgnoreCase);

    /// <summary>Reads the message and <c>param</c> of an error. Model servers use <c>{"error":{…}}</c>, <c>{"error":"…"}</c>, <c>{"message":…}</c>, <c>{"detail":…}</c> or plain text.</summary>
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
            // If no member is a string, such as in a list of validation errors, the JSON text is searched.
            return (TextOf(error, "message") ?? TextOf(error, "error") ?? text, TextOf(error, "param"));
        }
        catch (JsonException)
        {
            // The body is not JSON, or was truncated.
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
            // The request is a multipart form.
        }

        return names;
    }

    /// <summary>vLLM appends the name of the invalid member to its messages.</summary>
    [GeneratedRegex(@"\(parameter=([A-Za-z_][A-Za-z0-9_.\[\]]{0,99})")]
    private static partial Regex NamedInText();

    /// <summary>The first name of a path and its index. vLLM starts some paths with <c>body</c>. Later names can be internal names of the model server.</summary>
    [GeneratedRegex(@"\A(?:body\.)?(?<name>[A-Za-z_]+)(?:\[(?<index>[0-9]{1,6})\]|\.(?<index>[0-9]{1,6})(?![0-9]))?")]
    private static partial Regex NamedInPath();

    [GeneratedRegex(@"\bmax_(completion_|new_|output_)?tokens\b.{0,40}(cannot be greater|is too large|exceeds|must be)", RegexOptions.IgnoreCase)]
    private static partial Regex LimitIsTooHigh();

    /// <summary>The messages of vLLM, SGLang, TGI, llama.cpp and Ollama for a prompt that exceeds the context length.</summary>
    [GeneratedRegex(
        @"context[ _](length|size|window)|longer than the (maximum )?(model|context)|exceeds? (the )?(model'?s )?(max_model_len|maximum (model|context|input|sequence)|max(imum)? (input|sequence|model) length)|"
        + @"(prompt|input|inputs)\b.{0,80}(too long|is longer than|exceeds? the (maximum|max|limit|allowed|available))|`?inputs`? tokens \+ `?max_new_tokens`? must be",
        RegexOptions.IgnoreCase | RegexOptions.Singleline)]
    private static partial Regex ContextIsFull();

    [GeneratedRegex(@"\A[0-9]+ validation error")]
    private static partial Regex FromValidator();

    [GeneratedRegex(@"at most \d+ image|too many images", RegexOptions.IgnoreCase)]
    private static partial Regex TooManyImages();

    /// <summary>Ollama names the Go field that it could not decode, such as <c>ChatCompletionRequest.tools.function.parameters</c>.</summary>
    [GeneratedRegex(@"Go struct field \w*\.([a-z_]+)")]
    private static partial Regex UnreadField();

    /// <summary>The same for Go types and fields that only tools have.</summary>
    [GeneratedRegex(@"Go (value of type api\.Tool|struct field (\w*Tool\w*)?\.(required|properties|type|items|enum|description|parameters)\b)")]
    private static partial Regex UnreadTool();
}
