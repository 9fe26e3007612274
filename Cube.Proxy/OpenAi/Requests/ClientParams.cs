using Cube.Proxy.Routing;
using Cube.ServiceDefaults.Errors;

namespace Cube.Proxy.OpenAi.Requests;

/// <summary>What is wrong with a request is named as the client has it, whatever the model server was asked.</summary>
internal static class ClientParams
{
    private static readonly (string Chat, string Own)[] _ofResponses =
        [("messages", "input"), ("response_format", "text.format"), ("reasoning_effort", "reasoning.effort"), ("max_tokens", "max_output_tokens")];

    private static readonly (string Chat, string Own)[] _ofCompletions = [("messages", "prompt")];
    private static readonly (string Chat, string Own)[] _ofInputs = [("messages", "input")];

    public static OpenAiError In(InferenceEndpoint endpoint, OpenAiError error)
    {
        if (error.Param is { } param)
        {
            foreach (var (chat, own) in NamesOf(endpoint))
            {
                if (param.StartsWith(chat, StringComparison.Ordinal))
                {
                    return error with { Param = own + param[chat.Length..], Message = error.Message.Replace($"'{chat}", $"'{own}", StringComparison.Ordinal) };
                }
            }
        }

        return error;
    }

    private static (string Chat, string Own)[] NamesOf(InferenceEndpoint endpoint) =>
        endpoint == InferenceEndpoints.Responses ? _ofResponses
        : endpoint == InferenceEndpoints.Completions || endpoint == InferenceEndpoints.NativeGenerate ? _ofCompletions
        : endpoint == InferenceEndpoints.Embeddings || endpoint == InferenceEndpoints.NativeEmbed || endpoint == InferenceEndpoints.Pooling || endpoint == InferenceEndpoints.Classify ? _ofInputs
        : [];
}
