namespace Cube.Inference.Responses;

/// <summary>The known members of the objects in requests to <c>/v1/responses</c>.</summary>
internal static class ResponsesMembers
{
    private static readonly JsonMembers _part =
        JsonMembers.Of("type", "text", "annotations", "logprobs", "refusal", "image_url", "detail", "file_id", "file_url", "file_data", "filename");

    public static JsonMembers Item { get; } = JsonMembers.Of("type", "id", "status", "role", "phase", "call_id", "name", "arguments", "summary", "encrypted_content")
        .With("content", _part).With("output", _part);

    public static JsonMembers Text { get; } = JsonMembers.Of("verbosity").With("format", JsonMembers.Of("type", "name", "description", "schema", "strict"));

    public static JsonMembers Tool { get; } = JsonMembers.Of("type", "name", "description", "parameters", "strict");

    public static JsonMembers ToolChoice { get; } = JsonMembers.Of("type", "name");

    public static JsonMembers Reasoning { get; } = JsonMembers.Of("effort", "summary", "generate_summary");
}
