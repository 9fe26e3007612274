using Cube.Proxy.Routing;
using Cube.ServiceDefaults.Errors;

namespace Cube.Proxy.OpenAi.Requests.Responses;

/// <summary>A response is asked as a chat; what is wrong with it is named as the client has it.</summary>
internal static class ResponseParams
{
    private static readonly (string Chat, string Response)[] _names =
        [("messages", "input"), ("response_format", "text.format"), ("reasoning_effort", "reasoning.effort"), ("max_tokens", "max_output_tokens")];

    public static OpenAiError In(InferenceEndpoint endpoint, OpenAiError error)
    {
        if (endpoint == InferenceEndpoints.Responses && error.Param is { } param)
        {
            foreach (var (chat, response) in _names)
            {
                if (param.StartsWith(chat, StringComparison.Ordinal))
                {
                    return error with { Param = response + param[chat.Length..], Message = error.Message.Replace($"'{chat}", $"'{response}", StringComparison.Ordinal) };
                }
            }
        }

        return error;
    }
}
