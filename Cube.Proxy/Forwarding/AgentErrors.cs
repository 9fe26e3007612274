using System.Net;
using Cube.ServiceDefaults.Errors;
using Cube.ServiceDefaults.Hosting;

namespace Cube.Proxy.Forwarding;

/// <summary>
/// What a client hears of a failure behind the agent. A model server's text never passes; of its body only the first part is looked
/// at, for the few things that a client can act on. An error that the agent itself made passes as it is.
/// </summary>
internal static class AgentErrors
{
    private const int Looked = 8192;

    public static async Task<OpenAiError> TranslateAsync(HttpResponseMessage response, CancellationToken ct)
    {
        var status = (int)response.StatusCode;
        var body = await ReadStartAsync(response.Content, ct);
        if (response.Headers.Contains(AgentHeaders.OwnError) && OpenAiError.Parse(status, body.Span) is { } own)
        {
            return own;
        }

        return response.StatusCode switch
        {
            HttpStatusCode.BadRequest or HttpStatusCode.UnprocessableEntity or HttpStatusCode.RequestEntityTooLarge =>
                ExplainRefusal(body.Span),
            HttpStatusCode.NotFound => SaysPathIsMissing(body.Span) ? OpenAiError.NotServed : OpenAiError.ModelNotFound,
            HttpStatusCode.InternalServerError when SaysGrammarIsWrong(body.Span) => OpenAiError.InvalidValue("response_format", "The model server cannot follow this schema."),
            HttpStatusCode.TooManyRequests or HttpStatusCode.ServiceUnavailable => OpenAiError.Overloaded,
            HttpStatusCode.GatewayTimeout => OpenAiError.UpstreamTimeout,
            // 401 and 403 too: it is our credential that was refused, not the client's.
            _ => OpenAiError.UpstreamError,
        };
    }

    /// <summary>The few sentences of model servers that a client can act on, told in ours.</summary>
    private static OpenAiError ExplainRefusal(ReadOnlySpan<byte> body) =>
        SaysContextIsFull(body) ? OpenAiError.ContextLengthExceeded
        : body.IndexOf("does not support tools"u8) >= 0 || body.IndexOf("tool-call-parser"u8) >= 0 ? OpenAiError.UnsupportedParameter("tools")
        : body.IndexOf("does not support thinking"u8) >= 0 || body.IndexOf("think value"u8) >= 0 ? OpenAiError.UnsupportedParameter("reasoning_effort")
        : body.IndexOf("not a multimodal model"u8) >= 0 || body.IndexOf("does not support image"u8) >= 0 ? OpenAiError.UnsupportedValue("messages", "this model reads no images")
        : body.IndexOf("does not support embeddings"u8) >= 0 || body.IndexOf("does not support chat"u8) >= 0 ? OpenAiError.NotServed
        : body.IndexOf("dimensions"u8) >= 0 ? OpenAiError.UnsupportedParameter("dimensions")
        : OpenAiError.InvalidRequestBody;

    /// <summary>How Ollama and vLLM say that they have no such endpoint.</summary>
    private static bool SaysPathIsMissing(ReadOnlySpan<byte> body) => body.SequenceEqual("404 page not found"u8) || body.SequenceEqual("{\"detail\":\"Not Found\"}"u8);

    private static bool SaysGrammarIsWrong(ReadOnlySpan<byte> body) => body.IndexOf("grammar"u8) >= 0 || body.IndexOf("schema"u8) >= 0;

    private static bool SaysContextIsFull(ReadOnlySpan<byte> body) =>
        body.IndexOf("context length"u8) >= 0 || body.IndexOf("context_length"u8) >= 0 || body.IndexOf("context size"u8) >= 0;

    private static async Task<ReadOnlyMemory<byte>> ReadStartAsync(HttpContent content, CancellationToken ct)
    {
        var buffer = new byte[Looked];
        try
        {
            await using var stream = await content.ReadAsStreamAsync(ct);
            return buffer.AsMemory(0, await stream.ReadAtLeastAsync(buffer, Looked, throwOnEndOfStream: false, ct));
        }
        catch (Exception exception) when (exception is IOException or HttpRequestException)
        {
            return ReadOnlyMemory<byte>.Empty;
        }
    }
}
