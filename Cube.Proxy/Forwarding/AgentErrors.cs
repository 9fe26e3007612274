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
                SaysContextIsFull(body.Span) ? OpenAiError.ContextLengthExceeded : OpenAiError.InvalidRequestBody,
            HttpStatusCode.NotFound => OpenAiError.ModelNotFound,
            HttpStatusCode.TooManyRequests or HttpStatusCode.ServiceUnavailable => OpenAiError.Overloaded,
            HttpStatusCode.GatewayTimeout => OpenAiError.UpstreamTimeout,
            // 401 and 403 too: it is our credential that was refused, not the client's.
            _ => OpenAiError.UpstreamError,
        };
    }

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
