using System.Text.Json;

namespace Cube.Inference.Ollama;

/// <summary>The known members of the objects in requests of Ollama's API. Unlike in OpenAI's API, the arguments of a tool call are an object.</summary>
internal static class OllamaMembers
{
    public static JsonMembers Message { get; } = JsonMembers.Of("role", "content", "thinking", "images", "tool_name", "tool_call_id")
        .With("tool_calls", JsonMembers.Of("id", "type").With("function", JsonMembers.Of("index", "name", "arguments")));

    /// <summary>The value of <c>model</c>, or of <c>name</c>, which older clients of Ollama use.</summary>
    /// <exception cref="RequestRejectedException">The request has neither member.</exception>
    public static JsonElement ModelOrName(JsonElement request) => request.Member("model") ?? request.Required("name", "model");
}
