namespace Cube.Inference.Chat;

/// <summary>The known members of the objects in chat requests. Members of OpenAI's API that no model server uses are included, so that they are not reported as ignored.</summary>
internal static class ChatMembers
{
    private static readonly JsonMembers _part = JsonMembers.Of("type", "text", "refusal", "file")
        .With("image_url", JsonMembers.Of("url", "detail"))
        .With("input_audio", JsonMembers.Of("data", "format"));

    private static readonly JsonMembers _call = JsonMembers.Of("id", "type", "index").With("function", JsonMembers.Of("name", "arguments"));

    public static JsonMembers Message { get; } = JsonMembers.Of("role", "name", "tool_call_id", "refusal", "annotations", "audio", "function_call").With("content", _part).With("tool_calls", _call);

    public static JsonMembers Tool { get; } = JsonMembers.Of("type").With("function", JsonMembers.Of("name", "description", "parameters", "strict"));

    public static JsonMembers ToolChoice { get; } = JsonMembers.Of("type").With("function", JsonMembers.Of("name"));

    public static JsonMembers ResponseFormat { get; } = JsonMembers.Of("type").With("json_schema", JsonMembers.Of("name", "description", "schema", "strict"));

    public static JsonMembers StreamOptions { get; } = JsonMembers.Of("include_usage", "include_obfuscation");
}
