using Cube.Inference.Errors;
using System.Net;
using Cube.ServiceDefaults.Errors;
using Cube.ServiceDefaults.Hosting;

namespace Cube.Proxy.Attestation.Connections;

/// <summary>
/// What a client hears of a failure behind the agent. A model server's text never passes; of its body only the first part is looked
/// at, for the few things that a client can act on. An error that the agent itself made passes as it is.
/// </summary>
internal static class AgentErrors
{
    private const int Looked = 8192;

    /// <param name="response">What came instead of 200.</param>
    /// <param name="sent">What the proxy sent; tells which members a refusal may name.</param>
    /// <param name="limit">The name under which the client limited the tokens of the answer.</param>
    /// <param name="ct">Ends the reading of the response.</param>
    public static async Task<OpenAiError> TranslateAsync(HttpResponseMessage response, ReadOnlyMemory<byte> sent, string limit, CancellationToken ct)
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
                BackendErrorTranslator.Explain(body.Span, sent.Span, limit),
            HttpStatusCode.NotFound => SaysPathIsMissing(body.Span) ? OpenAiError.NotServed : OpenAiError.ModelNotFound,
            HttpStatusCode.InternalServerError when SaysGrammarIsWrong(body.Span) => OpenAiError.InvalidValue("response_format", "The model server cannot follow this schema."),
            HttpStatusCode.TooManyRequests or HttpStatusCode.ServiceUnavailable => OpenAiError.Overloaded,
            HttpStatusCode.GatewayTimeout => OpenAiError.UpstreamTimeout,
            // 401 and 403 too: it is our credential that was refused, not the client's.
            _ => OpenAiError.UpstreamError,
        };
    }

    /// <summary>How Ollama and vLLM say that they have no such endpoint.</summary>
    private static bool SaysPathIsMissing(ReadOnlySpan<byte> body) => body.SequenceEqual("404 page not found"u8) || body.SequenceEqual("{\"detail\":\"Not Found\"}"u8);

    private static bool SaysGrammarIsWrong(ReadOnlySpan<byte> body) => body.IndexOf("grammar"u8) >= 0 || body.IndexOf("schema"u8) >= 0;

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
