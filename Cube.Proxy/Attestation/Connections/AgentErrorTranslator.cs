using System.Net;
using Cube.Http2;
using Cube.Inference.Errors;
using Cube.ServiceDefaults.Errors;
using Cube.ServiceDefaults.Hosting;

namespace Cube.Proxy.Attestation.Connections;

/// <summary>
/// Translates an error response of an agent into the error for the client. The text of a model server never reaches the client: the proxy reads only the first
/// 8 KiB of it, to recognize errors that a client can correct. The proxy forwards an error of the agent itself unchanged.
/// </summary>
internal static class AgentErrorTranslator
{
    private const int MaxBytesRead = 8192;

    /// <param name="response">A response with a status other than 200.</param>
    /// <param name="sent">The body that the proxy sent. The error names only members that this body contains.</param>
    /// <param name="limit">The member by which the client limited the output tokens.</param>
    public static async Task<OpenAiError> TranslateAsync(Http2Response response, ReadOnlyMemory<byte> sent, string limit)
    {
        var body = await ReadStartAsync(response);
        if (response.Find(AgentHeaders.OwnError) is not null && OpenAiError.Parse(response.Status, body.Span) is { } agentError)
        {
            return agentError;
        }

        return (HttpStatusCode)response.Status switch
        {
            HttpStatusCode.BadRequest or HttpStatusCode.UnprocessableEntity or HttpStatusCode.RequestEntityTooLarge =>
                BackendErrorTranslator.Explain(body.Span, sent.Span, limit),
            HttpStatusCode.NotFound => IsUnknownPath(body.Span) ? OpenAiError.NotServed : OpenAiError.ModelNotFound,
            HttpStatusCode.InternalServerError when IsGrammarError(body.Span) => OpenAiError.InvalidValue("response_format", "The model server does not support this schema."),
            HttpStatusCode.TooManyRequests or HttpStatusCode.ServiceUnavailable => OpenAiError.Overloaded,
            HttpStatusCode.GatewayTimeout => OpenAiError.UpstreamTimeout,
            // Includes 401 and 403: the model server rejected the credential of the agent, not of the client.
            _ => OpenAiError.UpstreamError,
        };
    }

    /// <summary>Recognizes the 404 bodies of Ollama and vLLM for an unknown path. Their other 404 responses mean an unknown model.</summary>
    private static bool IsUnknownPath(ReadOnlySpan<byte> body) => body.SequenceEqual("404 page not found"u8) || body.SequenceEqual("{\"detail\":\"Not Found\"}"u8);

    private static bool IsGrammarError(ReadOnlySpan<byte> body) => body.IndexOf("grammar"u8) >= 0 || body.IndexOf("schema"u8) >= 0;

    private static async Task<ReadOnlyMemory<byte>> ReadStartAsync(Http2Response response)
    {
        var buffer = new byte[MaxBytesRead];
        try
        {
            return buffer.AsMemory(0, await response.AsStream().ReadAtLeastAsync(buffer, MaxBytesRead, throwOnEndOfStream: false));
        }
        catch (IOException)
        {
            return ReadOnlyMemory<byte>.Empty;
        }
    }
}
