using System.Diagnostics;
using Cube.Attestation.Atls;
using Cube.Inference.Errors;
using Cube.Inference.Json;
using Cube.Inference.Streaming;
using Cube.Inference.Translation;
using Cube.Proxy.Edge;
using Cube.ServiceDefaults.Errors;
using Microsoft.AspNetCore.Http.Features;

namespace Cube.Proxy.Inference;

/// <summary>
/// Forwards a stream from the model server to the client. The response starts with the first event, so that an earlier failure is an HTTP error. After a later failure the relay sends an error event and aborts the
/// connection, because every SDK detects an aborted connection. The relay reads the next data only after the client has received the previous data.
/// </summary>
/// <param name="context">The request.</param>
/// <param name="translator">The translator of the endpoint.</param>
/// <param name="options">The time limits.</param>
/// <param name="timeout">Cancels the exchange with the model server.</param>
internal sealed class StreamRelay(HttpContext context, IStreamTranslator translator, ProxyOptions options, CancellationTokenSource timeout)
{
    /// <summary>The delay between the error event and the abort, because an abort discards data that has not been sent.</summary>
    private static readonly TimeSpan _abortDelay = TimeSpan.FromMilliseconds(100);

    private readonly long _startedAt = Stopwatch.GetTimestamp();
    private bool _hasStarted;

    /// <summary>The number of events that were translated.</summary>
    public int Events { get; private set; }

    /// <param name="upstream">The body of the model server's response.</param>
    /// <returns>How the stream ended. Errors were already reported to the client.</returns>
    public async Task<ResponseEnd> RunAsync(Stream upstream)
    {
        using var reader = new SseReader(upstream, translator.IsLineDelimited);
        using var output = new ByteBuffer(16 << 10);
        try
        {
            for (var isFinal = false; ;)
            {
                var step = Translate(reader, output, isFinal);
                if (output.Length > 0 && !await SendAsync(output))
                {
                    return ResponseEnd.Aborted;
                }

                if (step == StreamStep.Done)
                {
                    return ResponseEnd.Complete;
                }

                if (step == StreamStep.Failed || isFinal)
                {
                    return await FailAsync(translator.Failure);
                }

                timeout.CancelAfter(Remaining());
                isFinal = !await reader.FillAsync(timeout.Token);
                // The time for writing to the client does not count.
                timeout.CancelAfter(Timeout.InfiniteTimeSpan);
            }
        }
        catch (OperationCanceledException) when (context.RequestAborted.IsCancellationRequested)
        {
            return ResponseEnd.Aborted;
        }
        catch (OperationCanceledException)
        {
            return await FailAsync(OpenAiError.UpstreamTimeout);
        }
        catch (Exception exception) when (exception is IOException or HttpRequestException or InvalidDataException or AttestationException)
        {
            return context.RequestAborted.IsCancellationRequested ? ResponseEnd.Aborted : await FailAsync(OpenAiError.UpstreamError);
        }
    }

    /// <summary>Translates all events in the buffer.</summary>
    private StreamStep Translate(SseReader reader, ByteBuffer output, bool isFinal)
    {
        while (reader.TryRead(out var data, isFinal))
        {
            if (translator.Write(data, output) is not StreamStep.More and var step)
            {
                return step;
            }

            Events++;
        }

        return isFinal ? translator.Complete(output) : StreamStep.More;
    }

    private TimeSpan Remaining()
    {
        var remaining = options.StreamTotalTimeout - Stopwatch.GetElapsedTime(_startedAt);
        // The first event takes longer because the model may have to be loaded and must process the prompt.
        var limit = _hasStarted ? options.StreamIdleTimeout : options.ActivityTimeout;
        return remaining < limit ? (remaining > TimeSpan.Zero ? remaining : TimeSpan.Zero) : limit;
    }

    private async ValueTask<bool> SendAsync(ByteBuffer output)
    {
        if (!_hasStarted)
        {
            _hasStarted = true;
            var response = context.Response;
            response.ContentType = translator.ContentType;
            response.Headers.CacheControl = "no-cache, no-transform";
            response.Headers["x-accel-buffering"] = "no";
        }

        var isWritten = await context.WriteToClientAsync(output.Written, options.ClientStallTimeout);
        output.Truncate(0);
        return isWritten;
    }

    private async Task<ResponseEnd> FailAsync(OpenAiError error)
    {
        if (!_hasStarted)
        {
            await error.WriteAsync(context);
            return ResponseEnd.Failed;
        }

        try
        {
            using var output = new ByteBuffer();
            translator.WriteError(error, output);
            await SendAsync(output);
            await Task.Delay(_abortDelay, context.RequestAborted);
        }
        catch (OperationCanceledException)
        {
            // The client has disconnected.
        }

        const int InternalError = 2;
        if (context.Features.Get<IHttpResetFeature>() is { } http2)
        {
            http2.Reset(InternalError);
        }
        else
        {
            context.Abort();
        }

        return ResponseEnd.Failed;
    }
}
