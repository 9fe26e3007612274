using System.Text.Json;

namespace Cube.Inference.Ollama;

/// <summary>The members of the objects in requests of Ollama's API. Unlike OpenAI's, the arguments of a tool call are an object.</summary>
internal static class OllamaMembers
{
    public static JsonMembers Message { get; } = JsonMembers.Of("role", "content", "thinking", "images", "tool_name", "tool_call_id")
        .With("tool_calls", JsonMembers.Of("id", "type").With("function", JsonMembers.Of("index", "name", "arguments")));

    /// <summary>The model's name; older clients of Ollama call the member <c>name</c>.</summary>
    /// <exception cref="RequestRejectedException">The request has neither.</exception>
    public static JsonElement ModelOrName(JsonElement request) => request.Member("model") ?? request.Required("name", "model");
}
