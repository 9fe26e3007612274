using System.Net;
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
    /// <param name="ct">Cancels reading the response.</param>
    public static async Task<OpenAiError> TranslateAsync(HttpResponseMessage response, ReadOnlyMemory<byte> sent, string limit, CancellationToken ct)
    {
        var status = (int)response.StatusCode;
        var body = await ReadStartAsync(response.Content, ct);
        if (response.Headers.Contains(AgentHeaders.OwnError) && OpenAiError.Parse(status, body.Span) is { } agentError)
        {
            return agentError;
        }

        return response.StatusCode switch
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

    private static async Task<ReadOnlyMemory<byte>> ReadStartAsync(HttpContent content, CancellationToken ct)
    {
        var buffer = new byte[MaxBytesRead];
        try
        {
            await using var stream = await content.ReadAsStreamAsync(ct);
            return buffer.AsMemory(0, await stream.ReadAtLeastAsync(buffer, MaxBytesRead, throwOnEndOfStream: false, ct));
        }
        catch (Exception exception) when (exception is IOException or HttpRequestException)
        {
            return ReadOnlyMemory<byte>.Empty;
        }
    }
}
