namespace Cube.Proxy.OpenAi.Requests;

/// <summary>The objects inside of requests. A name that OpenAI has and that means nothing here is listed too: it is not named as unknown.</summary>
internal static class KnownMembers
{
    private static readonly Members _part = Members.Of("type", "text", "refusal", "file")
        .With("image_url", Members.Of("url", "detail"))
        .With("input_audio", Members.Of("data", "format"));

    private static readonly Members _call = Members.Of("id", "type", "index").With("function", Members.Of("name", "arguments"));

    public static Members Message { get; } = Members.Of("role", "name", "tool_call_id", "refusal", "annotations", "audio", "function_call").With("content", _part).With("tool_calls", _call);

    public static Members Tool { get; } = Members.Of("type").With("function", Members.Of("name", "description", "parameters", "strict"));

    public static Members ToolChoice { get; } = Members.Of("type").With("function", Members.Of("name"));

    public static Members Schema { get; } = Members.Of("name", "description", "schema", "strict");

    public static Members ResponseFormat { get; } = Members.Of("type").With("json_schema", Schema);

    public static Members StreamOptions { get; } = Members.Of("include_usage", "include_obfuscation");

    /// <summary>Ollama's own: a call's arguments are an object.</summary>
    public static Members NativeMessage { get; } = Members.Of("role", "content", "thinking", "images", "tool_name", "tool_call_id")
        .With("tool_calls", Members.Of("id", "type").With("function", Members.Of("index", "name", "arguments")));

    private static readonly Members _responsePart =
        Members.Of("type", "text", "annotations", "logprobs", "refusal", "image_url", "detail", "file_id", "file_url", "file_data", "filename");

    public static Members ResponseItem { get; } = Members.Of("type", "id", "status", "role", "phase", "call_id", "name", "arguments", "summary", "encrypted_content")
        .With("content", _responsePart).With("output", _responsePart);

    public static Members ResponseText { get; } = Members.Of("verbosity").With("format", Members.Of("type", "name", "description", "schema", "strict"));

    public static Members ResponseTool { get; } = Members.Of("type", "name", "description", "parameters", "strict");

    public static Members ResponseToolChoice { get; } = Members.Of("type", "name");

    public static Members Reasoning { get; } = Members.Of("effort", "summary", "generate_summary");
}
