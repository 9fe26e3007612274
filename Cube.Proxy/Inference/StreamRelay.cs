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
/// Carries a stream from the model server to the client, read by read. It holds the answer's head back until the first event, so that
/// what fails before is an HTTP error; what fails later is an error event and a broken connection, the one signal that every SDK notices.
/// It reads on only when the client has taken what was written.
/// </summary>
internal sealed class StreamRelay(HttpContext context, IStreamTranslator answer, ProxyOptions options)
{
    /// <summary>A connection that is aborted drops what it has not yet sent; this is for the error event.</summary>
    private static readonly TimeSpan _grace = TimeSpan.FromMilliseconds(100);

    private readonly long _startedAt = Stopwatch.GetTimestamp();
    private bool _hasBegun;

    /// <summary>Events of the model server's that have been passed on.</summary>
    public int Events { get; private set; }

    /// <param name="upstream">The model server's bytes.</param>
    /// <returns>How it ended; the client has heard of it.</returns>
    public async Task<ResponseEnd> RunAsync(Stream upstream)
    {
        using var reader = new SseReader(upstream, answer.IsLineDelimited);
        using var output = new ByteBuffer(16 << 10);
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(context.RequestAborted);
        try
        {
            for (var isFinal = false; ;)
            {
                var step = Take(reader, output, isFinal);
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
                    return await FailAsync(answer.Failure);
                }

                patience.CancelAfter(Remaining());
                isFinal = !await reader.FillAsync(patience.Token);
                // The time that the client takes is not the model server's.
                patience.CancelAfter(Timeout.InfiniteTimeSpan);
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

    /// <summary>All events that are there.</summary>
    private StreamStep Take(SseReader reader, ByteBuffer output, bool isFinal)
    {
        while (reader.TryRead(out var data, isFinal))
        {
            if (answer.Write(data, output) is not StreamStep.More and var step)
            {
                return step;
            }

            Events++;
        }

        return isFinal ? answer.Complete(output) : StreamStep.More;
    }

    private TimeSpan Remaining()
    {
        var left = options.StreamTotalTimeout - Stopwatch.GetElapsedTime(_startedAt);
        // The first event comes when the prompt has been read and the model is there: that may take longer than any pause later.
        var pause = _hasBegun ? options.StreamIdleTimeout : options.ActivityTimeout;
        return left < pause ? (left > TimeSpan.Zero ? left : TimeSpan.Zero) : pause;
    }

    private async ValueTask<bool> SendAsync(ByteBuffer output)
    {
        if (!_hasBegun)
        {
            _hasBegun = true;
            var response = context.Response;
            response.ContentType = answer.ContentType;
            response.Headers.CacheControl = "no-cache, no-transform";
            response.Headers["x-accel-buffering"] = "no";
        }

        var isTaken = await context.WriteToClientAsync(output.Written, options.ClientStallTimeout);
        output.Truncate(0);
        return isTaken;
    }

    private async Task<ResponseEnd> FailAsync(OpenAiError error)
    {
        if (!_hasBegun)
        {
            await error.WriteAsync(context);
            return ResponseEnd.Failed;
        }

        try
        {
            using var output = new ByteBuffer();
            answer.WriteError(error, output);
            await SendAsync(output);
            await Task.Delay(_grace, context.RequestAborted);
        }
        catch (OperationCanceledException)
        {
            // The client has gone meanwhile.
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
